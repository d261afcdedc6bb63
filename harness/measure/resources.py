"""CPU time (user + system) and memory of each component of a run."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import psutil

from harness.measure.jvm import JvmCpu, JvmThreads, is_jvm
from harness.measure.threads import Thread, ThreadTime, thread_times

NANOSECOND_S = 1e-9
TICK_S = 1 / os.sysconf("SC_CLK_TCK")  # the unit of psutil's CPU times, usually 10 ms


def process_clock(pid: int) -> int:
    """Return the id of the clock that counts a process's CPU time in ns, including threads that have ended.

    The id is what clock_getcpuclockid(3) returns; Python offers that function only for threads.
    """
    return ~pid << 3 | 2


def has_clock(pid: int) -> bool:
    """Whether this clock can be read here. Some sandboxes and systems do not allow it for other processes."""
    try:
        return sys.platform == "linux" and time.clock_gettime_ns(process_clock(pid)) > 0
    except OSError:
        return False


def cpu_s_of(process: psutil.Process, *, by_clock: bool) -> float:
    """Return the CPU time of the process so far, in seconds; raises psutil.NoSuchProcess."""
    if not by_clock:
        times = process.cpu_times()
        return float(times.user + times.system)
    try:
        return time.clock_gettime_ns(process_clock(process.pid)) / 1e9
    except OSError as problem:  # EINVAL: the process does not exist any more
        raise psutil.NoSuchProcess(process.pid) from problem


class Processes:
    """The processes of a run, by component."""

    def __init__(self, pids: Mapping[str, Sequence[int]]) -> None:
        self._processes = {name: [psutil.Process(pid) for pid in ids] for name, ids in pids.items() if ids}
        # All processes are always read in the same way, because the two ways give slightly different figures.
        self._by_clock = all(has_clock(process.pid) for processes in self._processes.values() for process in processes)

    @property
    def resolution_s(self) -> dict[str, float]:
        """The smallest CPU time that can be told from zero, in seconds, by component."""
        step_s = NANOSECOND_S if self._by_clock else TICK_S
        return {name: step_s * len(processes) for name, processes in self._processes.items()}

    def cpu_s(self) -> dict[str, float]:
        """Return the CPU time used so far, in seconds, by component.

        A component is left out if it has no processes, or if one of them has ended: the kernel forgets the CPU time of
        a process that has ended, so the sum would be too low.
        """
        used = {}
        for name, processes in self._processes.items():
            with contextlib.suppress(psutil.NoSuchProcess):
                used[name] = sum(cpu_s_of(process, by_clock=self._by_clock) for process in processes)
        return used

    def rss_bytes(self) -> dict[str, int]:
        """Return the resident memory now, in bytes, by component; components are left out as in `cpu_s`."""
        resident = {}
        for name, processes in self._processes.items():
            with contextlib.suppress(psutil.NoSuchProcess):
                resident[name] = sum(process.memory_info().rss for process in processes)
        return resident


class CpuUsed(NamedTuple):
    """CPU time in seconds. What is not known is left out."""

    by_component: dict[str, float]
    by_gateway: dict[str, float]  # by the process id of the gateway
    jvms: dict[str, JvmCpu]  # of the components that are JVMs: what their compiler and their collector used
    speed_probe_s: float | None = None  # of the process that tells the machine's speed; None: there is none

    def since(self, before: CpuUsed) -> CpuUsed:
        """Return the CPU time used since then, of what is known at both moments."""
        return CpuUsed(
            _since(self.by_component, before.by_component),
            _since(self.by_gateway, before.by_gateway),
            {name: used.since(before.jvms[name]) for name, used in self.jvms.items() if name in before.jvms},
            None
            if self.speed_probe_s is None or before.speed_probe_s is None
            else self.speed_probe_s - before.speed_probe_s,
        )


def _since(after: Mapping[str, float], before: Mapping[str, float]) -> dict[str, float]:
    return {name: used - before[name] for name, used in after.items() if name in before}


class Meter:
    """Measures CPU time and memory of the processes that a run has started; it does not see later restarts."""

    is_local = True  # a reading takes a few milliseconds and disturbs nobody

    def __init__(self, services: Mapping[str, Sequence[int]]) -> None:
        self._pids = services
        self._services = Processes(services)
        self._gateways = Processes({str(pid): [pid] for pid in services.get("gateway", ())})
        self._jvms = {name: JvmThreads(pids) for name, pids in services.items() if pids and all(map(is_jvm, pids))}

    @property
    def resolution_s(self) -> dict[str, float]:
        """The smallest CPU time that can be told from zero, in seconds, by component."""
        return self._services.resolution_s

    def cpu(self) -> CpuUsed:
        """Return the CPU time used so far, in seconds."""
        jvms = {name: used for name, threads in self._jvms.items() if (used := threads.read()) is not None}
        return CpuUsed(self._services.cpu_s(), self._gateways.cpu_s(), jvms)

    def threads(self) -> dict[Thread, ThreadTime]:
        """Return the CPU time of each thread so far."""
        return thread_times(self._pids)

    def rss_bytes(self) -> dict[str, int]:
        """Return the resident memory now, in bytes, by component."""
        return self._services.rss_bytes()
