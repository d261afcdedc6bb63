"""Whether the wall clock was stepped while it was measured by: it then parts from the monotonic one."""

from __future__ import annotations

import time
from collections.abc import Callable

READ_MAX_NS = 100_000  # clocks that were read further apart say nothing about each other
STEP_MIN_NS = 1_000_000
SLEW_MAX = 0.001  # twice as fast as Linux lets a clock be corrected gradually


class ClockWatch:
    """Look often: what is corrected gradually between two looks passes, what is more is a step."""

    def __init__(
        self, wall_ns: Callable[[], int] = time.time_ns, monotonic_ns: Callable[[], int] = time.monotonic_ns
    ) -> None:
        self._wall_ns = wall_ns
        self._monotonic_ns = monotonic_ns
        self._last: tuple[int, int] | None = None

    def stepped_ns(self) -> int:
        """How far the clock was stepped, forwards or backwards, since the last look; 0: it was not."""
        before_ns, wall_ns, after_ns = self._monotonic_ns(), self._wall_ns(), self._monotonic_ns()
        if after_ns - before_ns > READ_MAX_NS:
            return 0
        last, self._last = self._last, (before_ns, wall_ns)
        if last is None:
            return 0
        elapsed_ns = before_ns - last[0]
        apart_ns = abs((wall_ns - last[1]) - elapsed_ns)
        return apart_ns if apart_ns > STEP_MIN_NS + SLEW_MAX * elapsed_ns else 0
