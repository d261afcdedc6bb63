"""The result of each kind of message in a phase: counts from the ledger, latencies from the audiences."""

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
    """Return one result for each kind, in the given order. A message's id contains the number of its kind."""
    sent, acked, delivered, missing, lost = np.zeros((5, KINDS_MAX), dtype=np.int64)
    for room in fates:
        per_message: list[npt.NDArray[np.int64]] = [
            np.ones_like(room.identities),
            room.acked,
            room.got,
            room.lost,
            room.surely_lost,
        ]
        kind = room.identities & (KINDS_MAX - 1)
        for counts, values in zip((sent, acked, delivered, missing, lost), per_message, strict=True):
            np.add.at(counts, kind, values)
    return [
        msg.KindResult(
            member=kind.member,
            name=kind.name,
            sent=int(sent[number]),
            acked=int(acked[number]),
            expected=int(delivered[number] + missing[number]),
            delivered=int(delivered[number]),
            lost=int(lost[number]),
            latency=_latencies(reports, number, "latency", alone=len(kinds) == 1).pack(),
            ack=_latencies(reports, number, "ack", alone=len(kinds) == 1).pack(),
        )
        for number, kind in enumerate(kinds)
    ]


def _latencies(reports: Sequence[msg.PhaseReport], number: int, which: str, *, alone: bool) -> Latencies:
    """Return the sum of one kind's histograms over all reports. A report's own histograms are those of a lone kind."""
    total = Latencies()
    for report in reports:
        source = report if alone else report.by_kind.get(number)
        if source is not None:
            total.add(Latencies.unpack(getattr(source, which)))
    return total
