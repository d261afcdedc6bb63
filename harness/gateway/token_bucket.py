"""A token bucket: a rate limit with a long-run rate and a burst."""

from __future__ import annotations

import time


class TokenBucket:
    """Limits to `per_s` tokens a second in the long run, and to `burst` tokens at once. It begins full."""

    __slots__ = ("_burst", "_left", "_per_s", "_since_s")

    def __init__(self, per_s: float, burst: float) -> None:
        self._per_s = per_s
        self._burst = burst
        self._left = float(burst)
        self._since_s = time.monotonic()

    def take(self, cost: float = 1.0) -> bool:
        """Take tokens, and return whether there were enough. The bucket may go into debt, which delays later takes."""
        self._earn()
        self._left -= cost
        return self._left >= 0

    def take_if_there(self, cost: float = 1.0) -> bool:
        """Take tokens only if there are enough, and return whether there were."""
        self._earn()
        if self._left < cost:
            return False
        self._left -= cost
        return True

    def _earn(self) -> None:
        now_s = time.monotonic()
        self._left = min(self._burst, self._left + self._per_s * (now_s - self._since_s))
        self._since_s = now_s
