"""Servers that do one job after another, in the order in which the jobs arrive."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Numbers = npt.NDArray[np.intp]


class Servers:
    """Servers of one kind. Each has its own queue; one with several cores works as fast as all of them together."""

    def __init__(self, count: int, cores: int = 1) -> None:
        self.count = count
        self.cores = cores
        self.free_s: Floats = np.zeros(count)  # when each has done all jobs that it got
        self.offered_s: Floats = np.zeros(count)  # CPU seconds of the jobs that came since `forget`
        self._left_s: Floats = np.zeros(count)  # CPU seconds of older jobs that were not done by then
        self.waited_s = 0.0
        self.jobs = 0

    def serve(self, which: Numbers, at_s: Floats | float, work_s: Floats | float) -> tuple[Floats, Floats]:
        """A job at each of different servers; returns when they start and when they end."""
        starts: Floats = np.maximum(self.free_s[which], at_s)
        ends: Floats = starts + np.asarray(work_s) / self.cores
        self.free_s[which] = ends
        self.offered_s[which] += work_s
        self.waited_s += float(np.sum(starts - at_s))
        self.jobs += len(starts)
        return starts, ends

    def serve_one(self, which: int, at_s: float, work_s: float) -> float:
        """A job at one server; returns when it ends."""
        start = max(float(self.free_s[which]), at_s)
        end = start + work_s / self.cores
        self.free_s[which] = end
        self.offered_s[which] += work_s
        self.waited_s += start - at_s
        self.jobs += 1
        return end

    def used_s(self, until_s: float) -> Floats:
        """CPU seconds that each has used since `forget`, up to this time."""
        return np.maximum(0.0, self._left_s + self.offered_s - self._backlog_s(until_s))

    def _backlog_s(self, at_s: float) -> Floats:
        return self.cores * np.maximum(0.0, self.free_s - at_s)

    def forget(self, at_s: float) -> None:
        """Begin to count anew at this time; the queues stay."""
        self._left_s = self._backlog_s(at_s)
        self.offered_s = np.zeros(self.count)
        self.waited_s = 0.0
        self.jobs = 0

    @property
    def waited_mean_ms(self) -> float:
        return 1000 * self.waited_s / self.jobs if self.jobs else 0.0
