"""The coordinator's time, in every process of the driver: a message may be sent on one host and heard on another."""

from __future__ import annotations

import time

_host_ns = time.time_ns
_ahead_ns = 0


def time_ns() -> int:
    """Return the time in nanoseconds since 1970, by the clock of the coordinator's host."""
    return _host_ns() - _ahead_ns


def follow(ahead_ns: int) -> None:
    """Set how many nanoseconds this host's clock is ahead of the coordinator's."""
    global _ahead_ns  # noqa: PLW0603 - a process has one clock
    _ahead_ns = ahead_ns
