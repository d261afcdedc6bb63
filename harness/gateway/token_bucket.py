"""A token bucket: so much a second in the long run, and a burst of so much at once."""

from __future__ import annotations

import time


class TokenBucket:
    """Begins full."""

    __slots__ = ("_burst", "_left", "_per_s", "_since_s")

    def __init__(self, per_s: float, burst: float) -> None:
        self._per_s = per_s
        self._burst = burst
        self._left = float(burst)
        self._since_s = time.monotonic()

    def take(self, cost: float = 1.0) -> bool:
        """Returns whether there was so much. What is taken beyond that has to be earned first, by waiting."""
        now_s = time.monotonic()
        self._left = min(self._burst, self._left + self._per_s * (now_s - self._since_s)) - cost
        self._since_s = now_s
        return self._left >= 0
