"""CPU time (user + system) and memory of each component of a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import psutil

from harness.errors import ServiceFailed


class Processes:
    """The processes of a run, by component."""

    def __init__(self, pids: Mapping[str, Sequence[int]]) -> None:
        self._processes = {name: [psutil.Process(pid) for pid in ids] for name, ids in pids.items() if ids}

    def cpu_s(self) -> dict[str, float]:
        """CPU seconds used so far, by component. A component without processes is left out, not 0.

        Raises ServiceFailed when a process has ended: its CPU time ended with it, so no figure would be true.
        """
        used = {}
        for name, processes in self._processes.items():
            try:
                times = [process.cpu_times() for process in processes]
            except psutil.Error as problem:
                raise ServiceFailed(f"a process of {name} ended during the run: {problem}") from problem
            used[name] = sum(time.user + time.system for time in times)
        return used

    def rss_bytes(self) -> dict[str, int]:
        """Resident memory now, by component."""
        try:
            return {name: sum(p.memory_info().rss for p in each) for name, each in self._processes.items()}
        except psutil.Error as problem:
            raise ServiceFailed(f"a process ended during the run: {problem}") from problem
