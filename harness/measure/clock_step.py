"""Whether the wall clock was stepped during a measurement, found by comparing it with the monotonic clock."""

from __future__ import annotations

import time
from collections.abc import Callable

READ_MAX_NS = 100_000  # the two clocks cannot be compared if more time passes between reading them
STEP_MIN_NS = 1_000_000
SLEW_MAX = 0.001  # twice as fast as Linux lets a clock be corrected gradually


class ClockWatch:
    """Finds steps of the wall clock. Call `stepped_ns` often: gradual corrections (slew) do not count as steps."""

    def __init__(
        self, wall_ns: Callable[[], int] = time.time_ns, monotonic_ns: Callable[[], int] = time.monotonic_ns
    ) -> None:
        self._wall_ns = wall_ns
        self._monotonic_ns = monotonic_ns
        self._last: tuple[int, int] | None = None

    def stepped_ns(self) -> int:
        """Return how far the clock was stepped since the last call, in ns, in either direction; 0 if it was not."""
        before_ns, wall_ns, after_ns = self._monotonic_ns(), self._wall_ns(), self._monotonic_ns()
        if after_ns - before_ns > READ_MAX_NS:
            return 0
        last, self._last = self._last, (before_ns, wall_ns)
        if last is None:
            return 0
        elapsed_ns = before_ns - last[0]
        apart_ns = abs((wall_ns - last[1]) - elapsed_ns)
        return apart_ns if apart_ns > STEP_MIN_NS + SLEW_MAX * elapsed_ns else 0
