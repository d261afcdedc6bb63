"""How far another host's clock is ahead of this host's clock, and how precisely that is known."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import msgspec

# The quickest exchange counts, and one in twenty is likely to meet no queue on its way.
EXCHANGES = 20
PAUSE_S = 0.005  # between two of them
ANSWER_TIMEOUT_S = 5.0


class Exchange(NamedTuple):
    """A request to another host and its answer. Times are in ns since the epoch."""

    asked_ns: int  # when this host sent the request, by its own clock
    there_ns: int  # when the other host answered, by the other clock
    heard_ns: int  # when this host received the answer, by its own clock


class Offset(msgspec.Struct, frozen=True):
    """The other clock is ahead of this one by `ahead_ns`, with an error of at most `bound_ns`."""

    ahead_ns: int = 0
    bound_ns: int = 0


def offset_of(exchanges: Sequence[Exchange]) -> Offset:
    """Estimate the offset of the other clock from the exchange with the shortest round trip.

    The other host answered at some moment of the round trip, so the error is at most half of it, however unequal the
    two directions are. Source: Cristian, Probabilistic clock synchronization, 1989.
    """
    quickest = min(exchanges, key=lambda each: each.heard_ns - each.asked_ns)
    middle_ns = (quickest.asked_ns + quickest.heard_ns) // 2
    return Offset(quickest.there_ns - middle_ns, (quickest.heard_ns - quickest.asked_ns + 1) // 2)


def bound_throughout_ns(before: Offset, after: Offset) -> int:
    """Return the largest error of `before`, in ns, until `after` was measured, if the clock drifted steadily."""
    return max(before.bound_ns, abs(after.ahead_ns - before.ahead_ns) + after.bound_ns)


class HostClock(msgspec.Struct, frozen=True):
    """Part of summary.json: the clock of one Locust worker's host during the measurement."""

    worker: int
    ahead_ms: float  # how far it was ahead of the coordinator's clock
    bound_ms: float  # the largest error of `ahead_ms` at any moment


def latency_error_ms(clocks: Sequence[HostClock]) -> float:
    """Return the largest error of a latency between two of these hosts, or between one and the coordinator, in ms."""
    return sum(sorted((clock.bound_ms for clock in clocks), reverse=True)[:2])
