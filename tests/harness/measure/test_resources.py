import errno
import os
import subprocess
import sys
import time

import psutil
import pytest

from harness.measure.resources import Processes


def test_cpu_time_is_that_of_the_processes_of_a_component() -> None:
    processes = Processes({"self": [os.getpid()], "nobody": []})
    before = processes.cpu_s()
    began = time.process_time()
    while time.process_time() - began < 0.3:
        sum(range(1000))
    used = processes.cpu_s()["self"] - before["self"]
    assert used >= 0.25  # the kernel counts in ticks of 10 ms
    assert set(before) == {"self"}, "a component without processes is left out, not 0"


def test_memory_is_what_the_kernel_says() -> None:
    resident = Processes({"self": [os.getpid()]}).rss_bytes()["self"]
    assert resident == pytest.approx(psutil.Process().memory_info().rss, rel=0.2)


def test_a_process_that_ended_gives_no_figure() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        processes = Processes({"child": [child.pid]})
    assert processes.cpu_s() == processes.rss_bytes() == {}


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a process has no clock of its own")
def test_a_moment_far_shorter_than_a_tick_is_measured() -> None:
    processes = Processes({"self": [os.getpid()]})
    assert processes.resolution_s == {"self": 1e-9}
    before = processes.cpu_s()["self"]
    sum(range(20_000))  # some 0.3 ms, where the kernel's ticks have 10
    assert processes.cpu_s()["self"] > before


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a process has no clock of its own")
def test_cpu_time_of_threads_that_have_ended_counts_as_well() -> None:
    source = (
        "import threading, time\n"
        "def work():\n"
        "    began = time.thread_time()\n"
        "    while time.thread_time() - began < 0.2: sum(range(1000))\n"
        "thread = threading.Thread(target=work)\n"
        "thread.start(); thread.join()\n"
        "print('ended', flush=True); input()\n"
    )
    with subprocess.Popen([sys.executable, "-c", source], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()
        processes = Processes({"child": [child.pid]})
        assert processes.resolution_s == {"child": 1e-9}
        assert processes.cpu_s()["child"] >= 0.2
        child.communicate(b"\n")


def test_without_such_a_clock_cpu_time_comes_in_ticks_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def none_here(_clock: int) -> int:
        raise OSError(errno.EINVAL, "Invalid argument")

    monkeypatch.setattr(time, "clock_gettime_ns", none_here)
    processes = Processes({"both": [os.getpid(), os.getpid()]})
    assert processes.resolution_s == {"both": pytest.approx(2 / os.sysconf("SC_CLK_TCK"))}
    times = psutil.Process().cpu_times()
    assert processes.cpu_s()["both"] == pytest.approx(2 * (times.user + times.system), abs=0.1)
