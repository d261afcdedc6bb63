"""CPU time (user + system) and memory of each component of a run."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import psutil


class Processes:
    """The processes of a run, by component."""

    def __init__(self, pids: Mapping[str, Sequence[int]]) -> None:
        self._processes = {name: [psutil.Process(pid) for pid in ids] for name, ids in pids.items() if ids}

    def cpu_s(self) -> dict[str, float]:
        """CPU seconds used so far, by component; one without processes, or with one that has ended, is left out.

        The CPU time of a process ends with it, so no figure of its component would be true.
        """
        used = {}
        for name, processes in self._processes.items():
            with contextlib.suppress(psutil.NoSuchProcess):
                times = [process.cpu_times() for process in processes]
                used[name] = sum(time.user + time.system for time in times)
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

    def cpu(self) -> CpuUsed:
        """Until now."""
        return CpuUsed(self._services.cpu_s(), self._gateways.cpu_s())

    def rss_bytes(self) -> dict[str, int]:
        """As Processes.rss_bytes."""
        return self._services.rss_bytes()
