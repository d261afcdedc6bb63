"""Deliveries of messages that another process sent: only the ledger, with all reports, knows when they were sent."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import msgspec
import numpy as np

from harness.ledger.judge import RoomFates
from harness.ledger.trail import Integers

MOMENTS_MAX = 8  # that are kept of the deliveries of one message at a time
# Where these are many, each moment stands for one of these parts of them. Middles are at 50 %, 90 % and 99 %.
PARTS = np.array([0.0, 0.2, 0.4, 0.6, 0.82, 0.98, 1.0])
ROWS_MAX = 200_000  # of an audience, each with one moment: 5 MB, in memory and on the way to the ledger
GOLDEN = np.uint64(0x9E3779B97F4A7C15)  # 2**64 / the golden ratio: spreads numbers that follow each other


class Receipts(msgspec.Struct, frozen=True, array_like=True):
    """All receipts of an audience: columns of int64, packed for the way to the ledger.

    Each moment stands for as many deliveries as `counts` says.
    """

    identities: bytes = b""
    heard_ns: bytes = b""
    counts: bytes = b""

    def since_sending_ns(self, fates: Sequence[RoomFates]) -> tuple[Integers, Integers]:
        """Return latencies from the moment of sending, and how many deliveries each stands for.

        Deliveries of messages that no member is known to have sent are left out.
        """
        identities, heard_ns, counts = (
            np.frombuffer(packed, dtype=np.int64) for packed in (self.identities, self.heard_ns, self.counts)
        )
        sent = [(room.identities, room.sent_ns) for room in fates if len(room.identities)]
        if not sent:
            return heard_ns[:0], counts[:0]
        known, sent_ns = (np.concatenate(column) for column in zip(*sent, strict=True))
        order = known.argsort()
        places = order[np.searchsorted(known, identities, sorter=order).clip(max=len(known) - 1)]
        is_known = known[places] == identities
        return (heard_ns - sent_ns[places])[is_known], counts[is_known]


class ReceiptLog:
    """Collects the receipts of an audience in bounded memory: of too many messages, it keeps one in two, in four ..."""

    def __init__(self, rows_max: int = ROWS_MAX) -> None:
        self._rows_max = rows_max
        self._new: list[tuple[int, Integers, Integers]] = []  # identity, moments and counts
        self._tables: list[Integers] = []  # each with the three columns of Receipts
        self._rows = 0
        self._halvings = 0  # of how many messages are kept

    def note(self, identity: int, heard_ns: Integers) -> None:
        """Add deliveries of a message, in the order of time. At most MOMENTS_MAX moments stand for all of them."""
        places, counts = _moments(len(heard_ns))
        self._new.append((identity, heard_ns[places], counts))

    def pack(self) -> None:
        """Move what is new into columns, which take less memory. Call it at least once a second."""
        if not self._new:
            return
        new, self._new = self._new, []
        identities = np.repeat(np.array([each[0] for each in new], dtype=np.int64), [len(each[2]) for each in new])
        table = np.stack([identities, *(np.concatenate([each[column] for each in new]) for column in (1, 2))])
        self._add(_chosen(table, self._halvings, 0))
        while self._rows > self._rows_max and self._halvings < 32:
            whole = np.concatenate(self._tables, axis=1)
            self._tables, self._rows, self._halvings = [], 0, self._halvings + 1
            self._add(_chosen(whole, self._halvings, self._halvings - 1))

    def _add(self, table: Integers) -> None:
        self._tables.append(table)
        self._rows += table.shape[1]

    def report(self) -> Receipts:
        """Return everything that was noted."""
        self.pack()
        if not self._tables:
            return Receipts()
        return Receipts(*(column.tobytes() for column in np.concatenate(self._tables, axis=1)))


@lru_cache(maxsize=1024)  # most messages have as many recipients as the one before
def _moments(count: int) -> tuple[Integers, Integers]:
    """Return at most MOMENTS_MAX places in a row of `count`, and how many each stands for.

    The last stands for itself, so that the longest latency is exact. The others are the middles of PARTS.
    """
    if count <= MOMENTS_MAX:
        return np.arange(count), np.ones(count, dtype=np.int64)
    edges = np.rint(PARTS * (count - 1)).astype(np.int64)
    counts = np.diff(edges)
    middles = (edges[:-1] + edges[1:]) // 2
    return np.append(middles[counts > 0], count - 1), np.append(counts[counts > 0], 1)


def _chosen(table: Integers, halvings: int, before: int) -> Integers:
    """Return the rows of one message in 2**halvings, out of one in 2**before: each counts for those left out.

    Which messages these are depends on their identities alone, so all audiences keep the same ones.
    """
    if halvings == 0:
        return table
    spread = table[0].astype(np.uint64) * GOLDEN
    chosen: Integers = table[:, spread >> np.uint64(64 - halvings) == 0]
    chosen[2] <<= halvings - before
    return chosen
