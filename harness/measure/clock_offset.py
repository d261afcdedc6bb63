"""How far another host's clock is ahead of this one's, and how sure that is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import msgspec


class Exchange(NamedTuple):
    """A question and its answer: here asked, there answered, here heard; each by the clock of its own host."""

    asked_ns: int
    there_ns: int
    heard_ns: int


class Offset(msgspec.Struct, frozen=True):
    """The other clock shows `ahead_ns` more than this one, give or take `bound_ns`."""

    ahead_ns: int = 0
    bound_ns: int = 0


def offset_of(exchanges: Sequence[Exchange]) -> Offset:
    """From the quickest of these exchanges: the answer was given at some moment between question and hearing.

    Whatever share of the way there and back each direction takes, the error is at most half of it.
    Source: Cristian, Probabilistic clock synchronization, 1989.
    """
    quickest = min(exchanges, key=lambda each: each.heard_ns - each.asked_ns)
    middle_ns = (quickest.asked_ns + quickest.heard_ns) // 2
    return Offset(quickest.there_ns - middle_ns, (quickest.heard_ns - quickest.asked_ns + 1) // 2)


def bound_throughout_ns(before: Offset, after: Offset) -> int:
    """How wrong `before` can have been at any moment until `after` was measured, if the clock drifted steadily."""
    return max(before.bound_ns, abs(after.ahead_ns - before.ahead_ns) + after.bound_ns)


class HostClock(msgspec.Struct, frozen=True):
    """Part of summary.json: the clock of one Locust worker's host, as it was followed in the measurement."""

    worker: int
    ahead_ms: float  # of the coordinator's
    bound_ms: float  # how wrong that can have been at any moment


def latency_error_ms(clocks: Sequence[HostClock]) -> float:
    """How wrong a latency can be that was taken between two of these hosts, or one of them and the coordinator's."""
    return sum(sorted((clock.bound_ms for clock in clocks), reverse=True)[:2])
