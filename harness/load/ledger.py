"""The ledger: who must get what, and what became of it.

Each room numbers its messages in the order they were said. Each stay of a member in a room has a bitset over these
numbers: a delivery sets a bit, a bit that is set already is a duplicate, and a sender's number below the last one
seen is out of order. All verdicts follow from the bitsets at the end; nothing is decided while the load runs.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable

import msgspec

SEQUENCE_BITS = 32


def message_id(sender: int, sequence: int) -> int:
    """The id on the wire: the sender's member number and the running number of what it said."""
    return sender << SEQUENCE_BITS | sequence


def sender_of(identity: int) -> int:
    return identity >> SEQUENCE_BITS


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the messages of a ledger, counted per message and, from `expected` on, per member."""

    sent: int
    acked: int
    expected: int  # deliveries owed: to members in the room from before the message until after it settled
    delivered: int  # of the expected
    lost: int  # of the expected
    lost_acked: int  # of the lost: the gateway had acked the message
    duplicated: int  # deliveries beyond the first
    reordered: int  # first deliveries that came after a later message of the same sender
    neither: int  # in flight while the member joined or left: owed by nobody, counted nowhere above


class Message:
    """One message, from the moment it was handed to the socket."""

    __slots__ = ("acked_ns", "first_ns", "index", "intended_ns", "last_ns", "room", "sender", "sent_ns", "sequence")

    def __init__(self, identity: int, room: RoomLog, intended_ns: int, sent_ns: int) -> None:
        self.sender = sender_of(identity)
        self.sequence = identity & ((1 << SEQUENCE_BITS) - 1)
        self.room = room
        self.index = len(room.messages)
        self.intended_ns = intended_ns
        self.sent_ns = sent_ns
        self.acked_ns: int | None = None
        self.first_ns: int | None = None  # first delivery to anybody
        self.last_ns: int | None = None

    @property
    def settled_ns(self) -> int | None:
        """When it was last seen to move; None if it was neither acked nor delivered, so may still be under way."""
        if self.acked_ns is None or self.last_ns is None:
            return self.acked_ns or self.last_ns
        return max(self.acked_ns, self.last_ns)


class RoomLog:
    """The messages of a room, and every stay of a member in it."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.messages: list[Message] = []
        self.stays: list[Stay] = []


class Stay:
    """One member in one room, from join to leave."""

    __slots__ = ("_last_sequence", "_seen", "duplicated", "joined_ns", "left_ns", "reordered", "room")

    def __init__(self, room: RoomLog, joined_ns: int) -> None:
        self.room = room
        self.joined_ns = joined_ns
        self.left_ns: int | None = None
        self.duplicated = 0
        self.reordered = 0
        self._seen = bytearray()
        self._last_sequence: dict[int, int] = {}

    def deliver(self, message: Message, now_ns: int) -> bool:
        """Note a delivery to this member; returns whether it was the first of this message."""
        byte, bit = message.index >> 3, 1 << (message.index & 7)
        seen = self._seen
        if byte >= len(seen):
            seen.extend(bytes(byte + 1 - len(seen) + 64))
        if seen[byte] & bit:
            self.duplicated += 1
            return False
        seen[byte] |= bit
        last = self._last_sequence
        if message.sequence < last.get(message.sender, -1):
            self.reordered += 1
        else:
            last[message.sender] = message.sequence
        if message.first_ns is None:
            message.first_ns = now_ns
        message.last_ns = now_ns
        return True

    def seen_mask(self) -> int:
        """The bitset as an integer: bit i is the room's message i."""
        return int.from_bytes(self._seen, "little")


class Ledger:
    """All that was said and heard in one phase of a run."""

    def __init__(self) -> None:
        self._rooms: dict[str, RoomLog] = {}
        self.messages: dict[int, Message] = {}
        self.acked = 0

    def room(self, name: str) -> RoomLog:
        log = self._rooms.get(name)
        if log is None:
            log = self._rooms[name] = RoomLog(name)
        return log

    def enter(self, room: str, now_ns: int) -> Stay:
        """A member has been told that it is in the room."""
        log = self.room(room)
        stay = Stay(log, now_ns)
        log.stays.append(stay)
        return stay

    def say(self, identity: int, room: str, intended_ns: int, sent_ns: int) -> Message:
        """A member is about to send; call it before the socket does, so that no delivery can come first."""
        log = self.room(room)
        message = Message(identity, log, intended_ns, sent_ns)
        log.messages.append(message)
        self.messages[identity] = message
        return message

    def ack(self, message: Message, now_ns: int) -> bool:
        """Note an ack; returns whether it was the first of this message."""
        if message.acked_ns is not None:
            return False
        message.acked_ns = now_ns
        self.acked += 1
        return True

    def verdict(self) -> Verdict:
        """What became of everything, as known now."""
        totals = [_judge(log) for log in self._rooms.values()]
        expected, delivered, lost_acked, duplicated, reordered, neither = (
            (sum(column) for column in zip(*totals, strict=True)) if totals else (0,) * 6
        )
        return Verdict(
            sent=len(self.messages),
            acked=self.acked,
            expected=expected,
            delivered=delivered,
            lost=expected - delivered,
            lost_acked=lost_acked,
            duplicated=duplicated,
            reordered=reordered,
            neither=neither,
        )


def _judge(log: RoomLog) -> tuple[int, int, int, int, int, int]:
    """(expected, delivered, lost though acked, duplicated, reordered, neither) of one room."""
    acked = _mask(message.index for message in log.messages if message.acked_ns is not None)
    sent_at = [message.sent_ns for message in log.messages]
    expected = delivered = lost_acked = duplicated = reordered = neither = 0
    for stay in log.stays:
        first = bisect_left(sent_at, stay.joined_ns)
        last = len(sent_at) if stay.left_ns is None else bisect_right(sent_at, stay.left_ns)
        owed = _bits(first, max(first, last))
        seen = stay.seen_mask()
        if stay.left_ns is not None:
            unsettled = _unsettled_at(stay.left_ns, log.messages[first:last]) & ~seen
            neither += (owed & unsettled).bit_count()
            owed &= ~unsettled
        neither += (seen & ~owed).bit_count()
        got = owed & seen
        expected += owed.bit_count()
        delivered += got.bit_count()
        lost_acked += (owed & ~got & acked).bit_count()
        duplicated += stay.duplicated
        reordered += stay.reordered
    return expected, delivered, lost_acked, duplicated, reordered, neither


def _bits(first: int, end: int) -> int:
    return (1 << end) - (1 << first)


def _unsettled_at(moment_ns: int, messages: list[Message]) -> int:
    """The messages that may still have been on their way at that moment."""
    settled = ((message.index, message.settled_ns) for message in messages)
    return _mask(index for index, at_ns in settled if at_ns is None or at_ns >= moment_ns)


def _mask(indices: Iterable[int]) -> int:
    bits = bytearray()  # setting bits in an int would copy it each time
    for index in indices:  # ascending
        byte = index >> 3
        bits.extend(bytes(byte + 1 - len(bits)))
        bits[byte] |= 1 << (index & 7)
    return int.from_bytes(bits, "little")
