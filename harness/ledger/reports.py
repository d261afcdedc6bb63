"""What an audience reports of a room: who was there, and what was said and heard; the ledger judges from these."""

from __future__ import annotations

import msgspec

# An id is the sender's number, then a running number, then the kind of message: 17 + 30 + 5 bits, below the probe's.
KIND_BITS = 5
SEQUENCE_BITS = 30 + KIND_BITS
KINDS_MAX = 1 << KIND_BITS
# What is in a gateway or a connection that breaks just then was said and has settled elsewhere at most so long before:
# a gateway writes within its tick, at most 50 ms, and the rest is for a busy machine. What settled earlier had time.
UNDER_WAY_NS = 1_000_000_000


def message_id(sender: int, sequence: int, kind: int = 0) -> int:
    """The id on the wire: of the sender's member number, the running number of what it said, and what kind it is."""
    return sender << SEQUENCE_BITS | sequence << KIND_BITS | kind


def sender_of(identity: int) -> int:
    return identity >> SEQUENCE_BITS


def kind_of(identity: int) -> int:
    return identity & (KINDS_MAX - 1)


class StayReport(msgspec.Struct, frozen=True, array_like=True):
    """As Stay."""

    joined_ns: int
    left_ns: int | None
    trail: int  # its number in RoomReport.trails
    stream: int  # all stays in the room by way of the same gateway have the same number
    before: int | None  # by its number in RoomReport.stays
    behind_ns: int | None
    read_on_ns: int | None
    broken: bool
    cut_off: bool
    asked: bool
    resumed: bool
    told: int


class RoomReport(msgspec.Struct, frozen=True, array_like=True):
    """All that one audience knows of a room. Lists are by message: the same place is the same message."""

    room: str
    identities: list[int]
    sent_ns: list[int | None]  # None: said elsewhere
    acked_ns: list[int | None]
    first_ns: list[int | None]  # first and last delivery here
    last_ns: list[int | None]
    trails: list[list[int]]  # messages by their place in these lists, in the order in which some members heard them
    stays: list[StayReport]
    over_ns: list[int | None]  # since when nothing more comes of what was refused
    waiting: list[int] = []  # messages by their place that are neither acked nor refused, and may still be
