"""How long many similar runs still take, from how long the earlier ones took."""

from __future__ import annotations

import time
from collections.abc import Callable

SHOWN_FROM_S = 2.0
SECONDS_UP_TO_S, MINUTES_UP_TO_S = 90.0, 5_400.0
ROUNDED_TO_S = 5


class TimeLeft:
    """Measures each run from its begin to the begin of what follows it."""

    def __init__(self, run_s: float | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        """`run_s` is how long a run is expected to take; it counts until one has ended. None: nobody knows."""
        self._expected_run_s = run_s
        self._clock = clock
        self._took_s = 0.0
        self._ended = 0
        self._began_s: float | None = None  # of the current run
        self._aside_ends_s = 0.0

    def begin_run(self) -> None:
        self._end_run()
        self._began_s = self._clock()

    def begin_aside(self, at_most_s: float) -> None:
        """Begin something that is not one of the runs, and takes at most so long."""
        self._end_run()
        self._aside_ends_s = self._clock() + at_most_s

    def _end_run(self) -> None:
        if self._began_s is not None:
            self._took_s += self._clock() - self._began_s
            self._ended += 1
        self._began_s = None
        self._aside_ends_s = 0.0

    def left_s(self, runs: int) -> float | None:
        """Return how long `runs` more runs take, the current one included; None if no run has ended yet."""
        run_s = self._took_s / self._ended if self._ended else self._expected_run_s
        if run_s is None:
            return None
        now_s = self._clock()
        done_s = 0.0 if self._began_s is None else min(run_s, now_s - self._began_s)
        return max(0.0, runs * run_s - done_s) + max(0.0, self._aside_ends_s - now_s)


def left_text(left_s: float | None) -> str:
    """Format for people, who need no seconds of minutes; empty if it is not known or not worth saying."""
    if left_s is None or left_s <= SHOWN_FROM_S:
        return ""
    return f"about {about_text(left_s)} left"


def about_text(seconds: float) -> str:
    """Format a duration roughly: 8 s, 45 s, 3 min, 2 h 10 min."""
    if seconds < 2 * ROUNDED_TO_S:
        return f"{seconds:.0f} s"
    if seconds < SECONDS_UP_TO_S:
        return f"{ROUNDED_TO_S * round(seconds / ROUNDED_TO_S)} s"
    minutes = round(seconds / 60)
    if seconds < MINUTES_UP_TO_S:
        return f"{minutes} min"
    hours, minutes = divmod(10 * round(minutes / 10), 60)
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"
