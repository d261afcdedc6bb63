"""The coordinator's time, in every process of the driver: what one says is heard by others, perhaps on other hosts."""

from __future__ import annotations

import time
from pathlib import Path

_host_ns = time.time_ns
_ahead_ns = 0


def time_ns() -> int:
    """Nanoseconds since 1970 by the clock of the coordinator's host."""
    return _host_ns() - _ahead_ns


def follow(ahead_ns: int) -> None:
    """From now on this host's clock is known to be so far ahead of the coordinator's."""
    global _ahead_ns  # noqa: PLW0603 - a process has one clock
    _ahead_ns = ahead_ns


def identity() -> str:
    """The same for processes that share a clock: of one host since its start, also in containers on it."""
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
