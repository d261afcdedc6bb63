"""An audience's report on each room: the stays of its members, and the messages that they sent and heard."""

from __future__ import annotations

import msgspec

# An id is the sender's number, then a running number, then the kind of message: 17 + 30 + 5 bits, below the probe's.
KIND_BITS = 5
SEQUENCE_BITS = 30 + KIND_BITS
KINDS_MAX = 1 << KIND_BITS
# A message that is still in a gateway or a connection when it breaks has settled for the other members at most this
# long before: a gateway writes within its tick, at most 50 ms, and the rest allows for a busy machine.
UNDER_WAY_NS = 1_000_000_000


def message_id(sender: int, sequence: int, kind: int = 0) -> int:
    """Return the id on the wire, made of the sender's member number, its running number and the kind of message."""
    return sender << SEQUENCE_BITS | sequence << KIND_BITS | kind


def sender_of(identity: int) -> int:
    return identity >> SEQUENCE_BITS


def kind_of(identity: int) -> int:
    return identity & (KINDS_MAX - 1)


class StayReport(msgspec.Struct, frozen=True, array_like=True):
    """One member in one room, from join to leave. Times are in ns since the epoch; harness.audience.history.Stay."""

    joined_ns: int
    left_ns: int | None  # None: the member is still in the room
    trail: int  # index in RoomReport.trails
    stream: int  # the same number for all stays in the room on the same gateway
    before: int | None  # index in RoomReport.stays of the member's previous stay in the room
    behind_ns: int | None  # since when the member reads too slowly, so that it may have unread messages
    read_on_ns: int | None  # until when
    broken: bool  # the connection broke; the member did not leave
    cut_off: bool  # the gateway closed the connection because the member read too slowly
    asked: bool  # on joining, the member asked for what it had missed since `before`
    resumed: bool  # the gateway sent it
    told: int  # how many messages at the beginning of the trail are such history


class RoomReport(msgspec.Struct, frozen=True, array_like=True):
    """Everything that one audience knows about a room. Lists are by message, with the same index for the same message.

    Times are in ns since the epoch.
    """

    room: str
    identities: list[int]
    intended_ns: list[int]  # when each message was due
    sent_ns: list[int | None]  # None: sent by a member of another audience
    acked_ns: list[int | None]
    first_ns: list[int | None]  # first and last delivery to a member of this audience
    last_ns: list[int | None]
    trails: list[list[int]]  # indices of messages, in the order in which some members heard them
    stays: list[StayReport]
    over_ns: list[int | None]  # when the gateway refused the message, after which no delivery of it is expected
    waiting: list[int] = []  # indices of messages that are neither acked nor refused, but may still be
