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
