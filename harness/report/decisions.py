"""The decisions on every load shape that some records are of."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from harness.report.cold_brokers import cold_brokers
from harness.report.comparison import split_by, workload_of
from harness.report.decision import Decision, decision_of
from harness.results import blocks
from harness.results.frames import Frames, RunRecord


def decisions_of(frames: Frames, records: Sequence[RunRecord]) -> Iterator[Decision]:
    """Yield the decision on each load shape of a comparison in blocks. `frames` are made of these records."""
    shapes = {_shape(part): part for part in split_by(frames, blocks.SHAPE)}
    for each in blocks.compared(records):
        if each.decides:
            of_shape = [record for record in records if _is_of(record, each.shape)]
            decision = decision_of(each, shapes[tuple(each.shape.values())])
            yield msgspec.structs.replace(decision, cold_brokers=cold_brokers(of_shape))


def _shape(frames: Frames) -> tuple[Any, ...]:
    return tuple(getattr(workload_of(frames.runs.iloc[0]), column) for column in blocks.SHAPE)


def _is_of(record: RunRecord, shape: dict[str, Any]) -> bool:
    return all(record.key[column] == value for column, value in shape.items())
