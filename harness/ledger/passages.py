"""What a gateway noted of the messages that a run traces."""

from __future__ import annotations

import msgspec

SENDING, TO_GATEWAY, BACKEND = "sending", "to_gateway", "backend"
WAITING, FAN_OUT, TO_MEMBER = "waiting", "fan_out", "to_member"
# Names that a mark of an architecture must not have: those of the stages, and of other columns beside them.
RESERVED = frozenset({SENDING, TO_GATEWAY, BACKEND, WAITING, FAN_OUT, TO_MEMBER, "accepting", "total", "intended"})


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
