"""Deliveries of messages that another process sent: only the ledger, with all reports, knows when they were sent."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import msgspec
import numpy as np

from harness.ledger.judge import Integers, RoomFates

RECEIPTS_MAX = 8  # moments that are kept of the deliveries of one message at a time


class Receipt(NamedTuple):
    """When members heard a message. Each moment stands for as many deliveries as `counts` says."""

    identity: int
    heard_ns: Integers
    counts: Integers

    @classmethod
    def of(cls, identity: int, heard_ns: Integers) -> Receipt:
        """Return the receipt of deliveries in the order of time: at most RECEIPTS_MAX moments, evenly among them."""
        places, counts = _evenly(len(heard_ns))
        return cls(identity, heard_ns[places], counts)


@lru_cache(maxsize=1024)  # most messages have as many recipients as the one before
def _evenly(count: int) -> tuple[Integers, Integers]:
    """Return at most RECEIPTS_MAX places in a row of `count`, and how many each stands for."""
    kept = min(count, RECEIPTS_MAX)
    edges = np.arange(kept + 1) * count // kept
    return (edges[:-1] + edges[1:]) // 2, np.diff(edges)


class Receipts(msgspec.Struct, frozen=True, array_like=True):
    """All receipts of an audience: columns of int64, packed for the way to the ledger."""

    identities: bytes = b""
    heard_ns: bytes = b""
    counts: bytes = b""

    @classmethod
    def of(cls, receipts: Sequence[Receipt]) -> Receipts:
        if not receipts:
            return cls()
        moments = [len(each.counts) for each in receipts]
        identities = np.repeat(np.array([each.identity for each in receipts], dtype=np.int64), moments)
        heard_ns, counts = (np.concatenate([each[place] for each in receipts]) for place in (1, 2))
        return cls(identities.tobytes(), heard_ns.tobytes(), counts.tobytes())

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
