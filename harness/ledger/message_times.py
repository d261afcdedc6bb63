"""The life of each message of a phase: when it was due, sent, acked and heard, and by how many members."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np

from harness.ledger.judge import NEVER_NS, RoomFates
from harness.ledger.trail import Integers

MESSAGES_MAX = 200_000  # more than so many are thinned out, so that a long run's record stays below a few megabytes
NEVER = -(2**63)  # in the place of a moment that never came
COLUMNS = (
    *("room", "identity"),  # the room as an index in `rooms`; harness.ledger.reports has the parts of an identity
    *("intended_ns", "sent_ns", "acked_ns", "first_heard_ns", "last_heard_ns"),  # since the phase began, or NEVER
    "heard_by",  # number of members
)


class MessageTimes(msgspec.Struct, frozen=True):
    """A table with a row for each message, in the order of intended times. Its arrays are packed for the way."""

    rooms: list[str]
    values: bytes  # a column after the other, in the order of COLUMNS, as int64
    one_in: int = 1  # only each so-manieth message has a row

    @classmethod
    def of(cls, fates: Sequence[RoomFates], start_ns: int) -> MessageTimes:
        """Return the table of all messages of a phase that began at `start_ns`."""
        if not fates:
            return cls([], b"")
        table = np.concatenate([_of_room(number, room, start_ns) for number, room in enumerate(fates)], axis=1)
        table = table[:, np.lexsort((table[1], table[2]))]
        return cls([room.room for room in fates], table.tobytes())

    @property
    def table(self) -> Integers:
        """The values: a row of this array for each of COLUMNS."""
        table: Integers = np.frombuffer(self.values, dtype=np.int64).reshape(len(COLUMNS), -1)
        return table

    def column(self, name: str) -> Integers:
        column: Integers = self.table[COLUMNS.index(name)]
        return column

    def latencies_ns(self) -> Integers:
        """For each message that was heard, the time from its intended moment until the last member heard it."""
        last_ns = self.column("last_heard_ns")
        latencies: Integers = (last_ns - self.column("intended_ns"))[last_ns != NEVER]
        return latencies

    def thinned(self, rows_max: int = MESSAGES_MAX) -> MessageTimes:
        """Return the table with every second row, or every third and so on, so that it has at most `rows_max`."""
        one_in = max(1, -(-self.table.shape[1] // rows_max))
        if one_in == 1:
            return self
        return MessageTimes(self.rooms, self.table[:, ::one_in].tobytes(), self.one_in * one_in)


def _of_room(number: int, room: RoomFates, start_ns: int) -> Integers:
    was_acked, was_heard = room.acked_ns != NEVER_NS, room.last_ns >= 0
    return np.stack(
        [
            np.full_like(room.identities, number),
            room.identities,
            room.intended_ns - start_ns,
            room.sent_ns - start_ns,
            np.where(was_acked, room.acked_ns - start_ns, NEVER),
            np.where(was_heard, room.first_ns - start_ns, NEVER),
            np.where(was_heard, room.last_ns - start_ns, NEVER),
            room.heard_by,
        ]
    )
