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
        self._earn()
        self._left -= cost
        return self._left >= 0

    def take_if_there(self, cost: float = 1.0) -> bool:
        """As `take`, but nothing is taken where there is not so much."""
        self._earn()
        if self._left < cost:
            return False
        self._left -= cost
        return True

    def _earn(self) -> None:
        now_s = time.monotonic()
        self._left = min(self._burst, self._left + self._per_s * (now_s - self._since_s))
        self._since_s = now_s
