"""The CPU time of a JVM's compiler and collector, from a made-up /proc."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from harness.measure.jvm import JvmCpu, JvmThreads, is_jvm

PID = 7
THREADS = {1: ("VM Thread", 0), 2: ("C2 CompilerThre", 500), 3: ("data-plane-kafk", 900), 4: ("C1 CompilerThre", 100)}


def write_thread(proc: Path, number: int, name: str, used_ms: int) -> None:
    thread = proc / str(PID) / "task" / str(number)
    thread.mkdir(parents=True, exist_ok=True)
    (thread / "comm").write_text(f"{name}\n")
    (thread / "schedstat").write_text(f"{used_ms * 1_000_000} 12345 6\n")


@pytest.fixture
def proc(tmp_path: Path) -> Path:
    for number, (name, used_ms) in THREADS.items():
        write_thread(tmp_path, number, name, used_ms)
    return tmp_path


def test_what_was_used_before_does_not_count(proc: Path) -> None:
    assert JvmThreads([PID], proc).read() == JvmCpu(0.0, 0.0)


def test_compiler_and_collector_are_told_from_the_threads_that_serve_requests(proc: Path) -> None:
    threads = JvmThreads([PID], proc)
    for number, used_ms in ((1, 20), (2, 800), (3, 2_000), (4, 150)):
        write_thread(proc, number, THREADS[number][0], used_ms)
    assert threads.read() == JvmCpu(compiler_s=0.35, collector_s=0.02)


def test_a_thread_that_begins_counts_from_its_beginning(proc: Path) -> None:
    threads = JvmThreads([PID], proc)
    write_thread(proc, 9, "C2 CompilerThre", 70)
    assert threads.read() == JvmCpu(0.07, 0.0)


def test_a_thread_that_ends_keeps_what_it_had_used_at_the_last_reading(proc: Path) -> None:
    threads = JvmThreads([PID], proc)
    write_thread(proc, 2, "C2 CompilerThre", 600)
    threads.read()
    shutil.rmtree(proc / str(PID) / "task" / "2")
    assert threads.read() == JvmCpu(0.1, 0.0)


def test_a_new_thread_with_the_number_of_one_that_ended_is_another_thread(proc: Path) -> None:
    threads = JvmThreads([PID], proc)
    write_thread(proc, 2, "C2 CompilerThre", 30)
    assert threads.read() == JvmCpu(0.03, 0.0)


def test_a_jvm_that_has_ended_tells_nothing(proc: Path) -> None:
    threads = JvmThreads([PID], proc)
    shutil.rmtree(proc / str(PID))
    assert threads.read() is None


def test_only_a_jvm_whose_threads_are_counted_is_one(proc: Path) -> None:
    assert is_jvm(PID, proc)
    assert not is_jvm(os.getpid())
    assert not is_jvm(99, proc)
    for schedstat in proc.rglob("schedstat"):
        schedstat.unlink()
    assert not is_jvm(PID, proc)
