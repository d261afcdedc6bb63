"""What a gateway noted of the messages that a run traces."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from harness.measure.clock_offset import Offset

SENDING, TO_GATEWAY, BACKEND = "sending", "to_gateway", "backend"
WAITING, FAN_OUT, TO_MEMBER = "waiting", "fan_out", "to_member"
COMMON = (SENDING, TO_GATEWAY, BACKEND, WAITING, FAN_OUT, TO_MEMBER)  # to all messages, in their order
# Names that a mark of an architecture must not have: those of the stages, and of other columns beside them.
RESERVED = frozenset({*COMMON, "accepting", "total", "intended"})


def in_order(stages: Iterable[str]) -> list[str]:
    """These stages in the order of a message's way, each once. What an architecture marks follows `backend`."""
    present = dict.fromkeys(stages)
    marked = [name for name in present if name not in COMMON]
    after_backend = COMMON.index(BACKEND) + 1
    return [name for name in (*COMMON[:after_backend], *marked, *COMMON[after_backend:]) if name in present]


class Passage(msgspec.Struct):
    """One message at one gateway. Moments are in ns since the epoch; None: it did not get there, or not here."""

    identity: int
    received_ns: int | None = None  # from its sender
    accepted_ns: int | None = None  # by the backend
    read_ns: int | None = None  # from the backend
    writing_ns: int | None = None  # to the first member
    written_ns: int | None = None  # to the last member
    marks: dict[str, int] = {}  # what the architecture told of its way, by name


class Passages(msgspec.Struct, frozen=True):
    """What a gateway tells a run that asks."""

    passages: list[Passage]
    forgotten: int  # passages that were dropped since the last time
    one_in: int = 0  # one message in so many is traced; 0: none
    bound_ns: int = 0  # how far off the moments may be by the clock of the host that asks; 0: it is the same clock


def in_this_hosts_clock(told: Passages, offset: Offset) -> Passages:
    """Return what a gateway told by its own clock, which is ahead of this host's by `offset`, by this host's."""

    def moved(moment_ns: int | None) -> int | None:
        return None if moment_ns is None else moment_ns - offset.ahead_ns

    passages = [
        Passage(
            identity=each.identity,
            received_ns=moved(each.received_ns),
            accepted_ns=moved(each.accepted_ns),
            read_ns=moved(each.read_ns),
            writing_ns=moved(each.writing_ns),
            written_ns=moved(each.written_ns),
            marks={name: moment_ns - offset.ahead_ns for name, moment_ns in each.marks.items()},
        )
        for each in told.passages
    ]
    return msgspec.structs.replace(told, passages=passages, bound_ns=offset.bound_ns)
