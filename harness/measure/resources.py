"""CPU time (user + system) and memory of each component of a run."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import psutil

NANOSECOND_S = 1e-9
TICK_S = 1 / os.sysconf("SC_CLK_TCK")  # in which psutil reads CPU time, 10 ms as a rule


def process_clock(pid: int) -> int:
    """The kernel's clock of all CPU time of a process, of threads that have ended too, in nanoseconds.

    As clock_getcpuclockid(3) makes it; Python has that for threads alone.
    """
    return ~pid << 3 | 2


def has_clock(pid: int) -> bool:
    """Whether that clock can be read here: some sandboxes and other systems have none for foreign processes."""
    try:
        return sys.platform == "linux" and time.clock_gettime_ns(process_clock(pid)) > 0
    except OSError:
        return False


def cpu_s_of(process: psutil.Process, *, by_clock: bool) -> float:
    """CPU seconds used so far; raises psutil.NoSuchProcess."""
    if not by_clock:
        times = process.cpu_times()
        return float(times.user + times.system)
    try:
        return time.clock_gettime_ns(process_clock(process.pid)) / 1e9
    except OSError as problem:  # EINVAL: there is no such process, any more
        raise psutil.NoSuchProcess(process.pid) from problem


class Processes:
    """The processes of a run, by component."""

    def __init__(self, pids: Mapping[str, Sequence[int]]) -> None:
        self._processes = {name: [psutil.Process(pid) for pid in ids] for name, ids in pids.items() if ids}
        # One way of reading for all of them and from the first to the last moment: the two are not quite the same.
        self._by_clock = all(has_clock(each.pid) for every in self._processes.values() for each in every)

    @property
    def resolution_s(self) -> dict[str, float]:
        """What less than cannot be told apart from nothing, by component."""
        step_s = NANOSECOND_S if self._by_clock else TICK_S
        return {name: step_s * len(processes) for name, processes in self._processes.items()}

    def cpu_s(self) -> dict[str, float]:
        """CPU seconds used so far, by component; one without processes, or with one that has ended, is left out.

        The CPU time of a process ends with it, so no figure of its component would be true.
        """
        used = {}
        for name, processes in self._processes.items():
            with contextlib.suppress(psutil.NoSuchProcess):
                used[name] = sum(cpu_s_of(process, by_clock=self._by_clock) for process in processes)
        return used

    def rss_bytes(self) -> dict[str, int]:
        """Resident memory now, by component, as cpu_s."""
        resident = {}
        for name, processes in self._processes.items():
            with contextlib.suppress(psutil.NoSuchProcess):
                resident[name] = sum(process.memory_info().rss for process in processes)
        return resident


class CpuUsed(NamedTuple):
    """CPU seconds, where they are known: as Processes.cpu_s."""

    by_component: dict[str, float]
    by_gateway: dict[str, float]  # of each gateway, by its process


class Meter:
    """CPU time and memory of what a run started, from now on: what is started again later is another process."""

    def __init__(self, services: Mapping[str, Sequence[int]]) -> None:
        self._services = Processes(services)
        self._gateways = Processes({str(pid): [pid] for pid in services.get("gateway", ())})

    @property
    def resolution_s(self) -> dict[str, float]:
        """As Processes.resolution_s."""
        return self._services.resolution_s

    def cpu(self) -> CpuUsed:
        """Until now."""
        return CpuUsed(self._services.cpu_s(), self._gateways.cpu_s())

    def rss_bytes(self) -> dict[str, int]:
        """As Processes.rss_bytes."""
        return self._services.rss_bytes()
