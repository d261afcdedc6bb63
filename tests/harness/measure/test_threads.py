"""The CPU time of groups of threads, from a made-up /proc and from this process."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

from harness.measure.threads import MAIN, GroupUse, busiest_groups, thread_times


def write_thread(proc: Path, process: int, number: int, name: str, used_ms: int) -> None:
    thread = proc / str(process) / "task" / str(number)
    thread.mkdir(parents=True, exist_ok=True)
    (thread / "comm").write_text(f"{name}\n")
    (thread / "schedstat").write_text(f"{used_ms * 1_000_000} 12345 6\n")


def test_threads_whose_names_differ_in_numbers_are_one_group_across_processes(tmp_path: Path) -> None:
    before = {(7, 7, "python"): 0, (7, 8, "rdk:broker1"): 50, (9, 9, "python"): 10, (9, 10, "rdk:broker-1"): 0}
    after = {(7, 7, "python"): 700, (7, 8, "rdk:broker1"): 350, (9, 9, "python"): 210, (9, 10, "rdk:broker-1"): 100}
    for (process, number, name), used_ms in before.items():
        write_thread(tmp_path, process, number, name, used_ms)
    at_first = thread_times({"gateway": [7, 9]}, tmp_path)
    for (process, number, name), used_ms in after.items():
        write_thread(tmp_path, process, number, name, used_ms)
    assert busiest_groups(at_first, thread_times({"gateway": [7, 9]}, tmp_path)) == [
        GroupUse("gateway", MAIN, threads=2, used_s=0.9, busiest_s=0.7),
        GroupUse("gateway", "rdk:broker", threads=2, used_s=0.4, busiest_s=0.3),
    ]


def test_idle_threads_and_processes_that_are_gone_are_left_out(tmp_path: Path) -> None:
    write_thread(tmp_path, 7, 8, "kafka-log-clean", 5)
    times = thread_times({"kafka": [7], "redis": [8]}, tmp_path)
    assert [thread.component for thread in times] == ["kafka"]
    assert busiest_groups(times, times) == []


def test_a_thread_that_works_is_found_among_those_of_this_process() -> None:
    done = threading.Event()

    def work() -> None:
        until_s = time.thread_time() + 0.05
        while time.thread_time() < until_s:
            pass
        done.set()
        over.wait()

    over = threading.Event()
    before = thread_times({"gateway": [os.getpid()]})
    worker = threading.Thread(target=work)
    worker.start()
    try:
        assert done.wait(60)
        busiest = max(busiest_groups(before, thread_times({"gateway": [os.getpid()]})), key=lambda each: each.busiest_s)
    finally:
        over.set()
        worker.join()
    assert busiest.busiest_s >= 0.05
