"""The CPU time and memory that the driver's processes use in a phase, measured on their own host."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from harness.ipc import messages as msg
from harness.measure.resources import Processes


class Usage:
    """Measures processes between `begin` and `end` of a phase, and in the laps between them."""

    def __init__(self, pids: Mapping[str, int]) -> None:
        self._names = pids.keys()
        self._processes = Processes({name: [pid] for name, pid in pids.items()})
        self._before: dict[str, float] = {}
        self._lap: dict[str, float] = {}

    def begin(self) -> None:
        self._before = self._lap = self._processes.cpu_s()

    def lap_ms(self) -> float | None:
        """Return the CPU time of all processes since the last lap or `begin`. None: one of them has ended."""
        before, self._lap = self._lap, self._processes.cpu_s()
        if not before.keys() == self._lap.keys() == self._names:
            return None
        return 1_000 * (sum(self._lap.values()) - sum(before.values()))

    def end(self) -> msg.Used:
        after, rss_bytes = self._processes.cpu_s(), self._processes.rss_bytes()
        known = self._before.keys() == after.keys() == self._names
        return msg.Used(
            cpu_s={name: after[name] - self._before[name] for name in after} if known else None,
            rss_bytes=rss_bytes if rss_bytes.keys() == self._names else None,
        )


def all_used(parts: Iterable[msg.Used]) -> msg.Used:
    """Join the figures of several hosts; a figure that is unknown in one part is unknown in the result."""
    cpu_s: dict[str, float] | None = {}
    rss_bytes: dict[str, int] | None = {}
    for part in parts:
        cpu_s = None if cpu_s is None or part.cpu_s is None else cpu_s | part.cpu_s
        rss_bytes = None if rss_bytes is None or part.rss_bytes is None else rss_bytes | part.rss_bytes
    return msg.Used(cpu_s=cpu_s, rss_bytes=rss_bytes)


def numbered(used: msg.Used, rank: int) -> msg.Used:
    """Add the worker's rank to the names of its processes, as in `locust 2`."""

    def named(figures: dict[str, float] | None) -> dict[str, float] | None:
        return None if figures is None else {f"{name} {rank}": figure for name, figure in figures.items()}

    return msg.Used(cpu_s=named(used.cpu_s), rss_bytes=named(used.rss_bytes))  # type: ignore[arg-type]
