"""What became of each kind of message in a phase."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from harness.ipc import messages as msg
from harness.ipc.class_plan import MessageKind
from harness.ledger.judge import RoomFates
from harness.ledger.reports import KINDS_MAX
from harness.measure.histogram import Latencies


def kind_results(
    kinds: Sequence[MessageKind], fates: Sequence[RoomFates], reports: Sequence[msg.PhaseReport]
) -> list[msg.KindResult]:
    """Of each kind, in their order; a message's id says which it is."""
    sent, acked, delivered, owed, lost = np.zeros((5, KINDS_MAX), dtype=np.int64)
    for room in fates:
        of_each: list[npt.NDArray[np.int64]] = [
            np.ones_like(room.identities),
            room.acked,
            room.got,
            room.lost,
            room.surely_lost,
        ]
        kind = room.identities & (KINDS_MAX - 1)
        for counts, of_one in zip((sent, acked, delivered, owed, lost), of_each, strict=True):
            np.add.at(counts, kind, of_one)
    return [
        msg.KindResult(
            member=kind.member,
            name=kind.name,
            sent=int(sent[number]),
            acked=int(acked[number]),
            expected=int(delivered[number] + owed[number]),
            delivered=int(delivered[number]),
            lost=int(lost[number]),
            latency=_of_all(reports, number, "latency", alone=len(kinds) == 1).pack(),
            ack=_of_all(reports, number, "ack", alone=len(kinds) == 1).pack(),
        )
        for number, kind in enumerate(kinds)
    ]


def _of_all(reports: Sequence[msg.PhaseReport], number: int, which: str, *, alone: bool) -> Latencies:
    """Of that kind over all reports; a kind that is alone is all of them."""
    total = Latencies()
    for report in reports:
        of = report if alone else report.by_kind.get(number)
        if of is not None:
            total.add(Latencies.unpack(getattr(of, which)))
    return total
