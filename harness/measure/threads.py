"""Which threads of the processes used the CPU time: a process with cores left may wait for one thread that is full.

Linux tells the CPU time of each thread and 15 characters of its name. Threads whose names differ only in the numbers at
their ends are one group, such as librdkafka's `rdk:broker1` and `rdk:broker2`, or `data-plane-kafk`, which are the
network threads and the request handlers of a Kafka broker.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

PROC = Path("/proc")
MAIN = "main thread"  # for Python's event loop, which has the name of its program


class Thread(NamedTuple):
    component: str
    process: int
    number: int


class GroupUse(NamedTuple):
    """CPU time of one group of threads in all processes of a component, in seconds."""

    component: str
    group: str
    threads: int  # that used any
    used_s: float
    busiest_s: float  # of the thread that used most


class ThreadTime(NamedTuple):
    group: str
    used_ns: int


def thread_times(services: Mapping[str, Sequence[int]], proc: Path = PROC) -> dict[Thread, ThreadTime]:
    """The CPU time used so far by each thread of these processes; what cannot be read is left out."""
    return {
        Thread(component, pid, number): ThreadTime(group, used_ns)
        for component, pids in services.items()
        for pid in pids
        for number, group, used_ns in _threads(proc / str(pid))
    }


def busiest_groups(before: Mapping[Thread, ThreadTime], after: Mapping[Thread, ThreadTime]) -> list[GroupUse]:
    """What each group used in between, the one with the busiest thread first. Threads that have ended are left out."""
    groups: dict[tuple[str, str], list[int]] = defaultdict(list)
    for thread, (group, used_ns) in after.items():
        used_before_ns = before[thread].used_ns if thread in before else 0  # a thread may be renamed meanwhile
        if used_ns > used_before_ns:
            groups[thread.component, group].append(used_ns - used_before_ns)
    found = [
        GroupUse(component, group, len(used), sum(used) / 1e9, max(used) / 1e9)
        for (component, group), used in groups.items()
    ]
    return sorted(found, key=lambda each: -each.busiest_s)


def _threads(process: Path) -> Iterator[tuple[int, str, int]]:
    """The number, the group and the CPU time of each thread of the process."""
    try:
        folders = list((process / "task").iterdir())
    except OSError:
        return  # it has ended, or this is not Linux
    for folder in folders:
        try:
            name = (folder / "comm").read_text(encoding="utf-8", errors="replace").strip()
            used_ns = int((folder / "schedstat").read_text(encoding="ascii").split()[0])
        except (OSError, ValueError, IndexError):
            continue  # the thread has just ended, or this kernel does not count
        yield int(folder.name), MAIN if folder.name == process.name else name.rstrip("0123456789-"), used_ns
