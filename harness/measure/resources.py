"""CPU time (user + system) and memory of each component of a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import psutil

COMPONENTS = ("gateway", "kafka", "redis", "driver")


class Processes:
    """The processes of a run, by component."""

    def __init__(self, pids: Mapping[str, Sequence[int]]) -> None:
        self._processes = {name: [psutil.Process(pid) for pid in ids] for name, ids in pids.items() if ids}

    def cpu_s(self) -> dict[str, float]:
        """CPU seconds used so far, by component. A component without processes is left out, not 0.

        Raises psutil.NoSuchProcess when one has ended: its CPU time ended with it, so no figure would be true.
        """
        used = {}
        for name, processes in self._processes.items():
            times = [process.cpu_times() for process in processes]
            used[name] = sum(time.user + time.system for time in times)
        return used

    def rss_bytes(self) -> dict[str, int]:
        """Resident memory now, by component."""
        return {name: sum(p.memory_info().rss for p in processes) for name, processes in self._processes.items()}
