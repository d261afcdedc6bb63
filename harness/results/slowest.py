"""The slowest traced messages of each architecture, with how long each stage of their way took."""

from __future__ import annotations

import io
from collections.abc import Sequence
from itertools import groupby
from operator import attrgetter
from pathlib import Path

import msgspec
import pandas as pd
import pyarrow as pa

from harness.ledger.passages import in_order
from harness.results.frames import RunRecord
from harness.results.reading import OnUnreadable
from harness.runs.stages_file import NO_STAGES, STAGES_FILE

SHOWN = 10


class SlowMessage(msgspec.Struct, frozen=True, kw_only=True):
    """One message, from the moment it was due until its last recipient had heard it."""

    round: int  # of the architecture's runs
    sent_s: float  # when the driver sent it, since the measurement began
    room: str
    total_ms: float
    stages_ms: dict[str, float]  # in their order; they add up to total_ms


class Slowest(msgspec.Struct, frozen=True, kw_only=True):
    """The slowest of the traced messages of an architecture under one workload, over all its rounds."""

    scenario: str
    members: int
    rooms: int | None
    gateways: int
    rate_per_s: float
    payload_bytes: int
    arch: str
    rounds: int  # whose messages could be read
    traced: int  # in these rounds
    one_in: int | None  # one message in so many was traced; None: not the same in all rounds, or not noted
    messages: list[SlowMessage]  # the slowest first
    error_ms: dict[str, float] = {}  # how far off each stage may be, by the hosts' clocks; others are by one clock

    @property
    def stages(self) -> list[str]:
        """The stages of these messages in their order."""
        return in_order(name for each in self.messages for name in each.stages_ms)


def slowest_of(records: Sequence[RunRecord], on_unreadable: OnUnreadable) -> list[Slowest]:
    """The slowest messages of every architecture and workload; none of runs that the driver made late."""
    found = []
    for _key, alike in groupby(sorted(records, key=_sorting), key=_sorting):
        read = [(record, _messages(record, on_unreadable)) for record in alike if _is_told(record)]
        rounds = [record for record, of_round in read if of_round]
        if not rounds:
            continue
        messages = [each for _record, of_round in read for each in of_round]
        stages = [record.summary.stages for record in rounds if record.summary.stages is not None]
        one_in = {each.one_in for each in stages}
        errors_ms = sorted((error_ms, name) for each in stages for name, error_ms in each.error_ms.items())
        found.append(
            Slowest(
                **rounds[0].key,
                rounds=len(rounds),
                traced=sum(each.messages for each in stages),
                one_in=one_in.pop() if len(one_in) == 1 else None,
                messages=sorted(messages, key=attrgetter("total_ms"), reverse=True)[:SHOWN],
                error_ms={name: error_ms for error_ms, name in errors_ms},  # the largest of all rounds
            )
        )
    return found


def _sorting(record: RunRecord) -> list[str]:
    return [str(each) for each in record.key.values()]


def _is_told(record: RunRecord) -> bool:
    summary = record.summary
    is_good = summary.status == "complete" and summary.driver.valid is True
    return is_good and summary.stages is not None and (record.folder / STAGES_FILE).exists()


def _messages(record: RunRecord, on_unreadable: OnUnreadable) -> list[SlowMessage]:
    """The slowest of one run; none if its file cannot be read, or an older version wrote it."""
    file = record.folder / STAGES_FILE
    try:
        slowest, stages = _read(file)
    except (OSError, ValueError, TypeError, pa.ArrowException) as problem:
        on_unreadable(file, problem)
        return []
    return [
        SlowMessage(
            round=record.round,
            sent_s=(row["intended_ns"] + row["sending_ns"]) / 1e9,
            room=str(row["room"]),
            total_ms=row["total_ns"] / 1e6,
            stages_ms={name: row[f"{name}_ns"] / 1e6 for name in stages if not pd.isna(row[f"{name}_ns"])},
        )
        for row in slowest.to_dict("records")
    ]


def _read(file: Path) -> tuple[pd.DataFrame, list[str]]:
    """The rows of the slowest messages, and the stages that the file has; no rows if an older version wrote it."""
    ways = pd.read_parquet(io.BytesIO(file.read_bytes()))
    if not {"room", "intended_ns", "sending_ns", "total_ns"} <= set(ways.columns):
        return ways.iloc[:0], []
    durations = [name for name in ways.columns if name.endswith("_ns")]
    ways = ways.astype(dict.fromkeys(durations, "float64")).dropna(subset=["intended_ns", "sending_ns", "total_ns"])
    return ways.nlargest(SHOWN, "total_ns"), [name[: -len("_ns")] for name in durations if name not in NO_STAGES]
