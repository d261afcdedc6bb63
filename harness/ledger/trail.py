"""What a member heard, in order: repetitions, strays and what came out of order."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from harness.ledger.reports import SEQUENCE_BITS

Integers = npt.NDArray[np.int64]


class Trail:
    """The messages that some members heard, in order, stay by stay.

    `first` is the index of the first message sent during the first stay. Each later stay begins with as many messages
    of history as `replayed` says, because the member asked for them.
    """

    def __init__(
        self, stays: Sequence[Integers], replayed: Sequence[int], indices: Integers, identities: Integers, first: int
    ) -> None:
        heard, self.repeated, self.on_return = stays[0], 0, 0
        for stay, replayed_count in zip(stays[1:], replayed[1:], strict=True):
            is_past, is_known = np.arange(len(stay)) < replayed_count, np.isin(stay, heard)
            sent_before_joining = is_past & (indices[stay] >= 0) & (indices[stay] < first)
            self.repeated += int((is_past & is_known | sent_before_joining).sum())
            self.on_return += int((~is_past & is_known).sum())
            heard = np.concatenate((heard, stay[~is_known & ~sent_before_joining]))
        known = heard[indices[heard] >= 0]
        self.strays = len(heard) - len(known)
        _, at = np.unique(known, return_index=True)
        firsts = known[np.sort(at)]  # first deliveries, in order
        self.duplicated = len(known) - len(firsts)
        self.indices = indices[firsts]
        # Sorted by sender, and for each sender in the order heard. The sender's number is the highest part of an id, so
        # the largest id so far belongs to the latest message of the same sender.
        identities_heard = identities[firsts]
        by_sender = identities_heard[np.argsort(identities_heard >> SEQUENCE_BITS, kind="stable")]
        self.reordered = int((by_sender < np.maximum.accumulate(by_sender)).sum()) if len(by_sender) else 0
