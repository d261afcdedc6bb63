"""The slowest traced messages of records."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pandas as pd
import pytest

from harness.ledger.stages import Way
from harness.results.frames import read_records
from harness.results.reading import leaving_out, refuse
from harness.results.slowest import slowest_of
from harness.runs.stages_file import STAGES_FILE, stages_parquet
from tests.harness.report.records import stages, write_record

TRACED = msgspec.structs.replace(stages(6.0, "backend"), one_in=5)


def way(number: int, total_ms: int, **marks_ms: int) -> Way:
    """A message of room `r` that was due after `number` seconds and sent one millisecond later."""
    backend_ms = total_ms - 1 - sum(marks_ms.values())
    stages_ms = {"sending": 1, "backend": backend_ms, **marks_ms}
    stages_ns = {name: each * 1_000_000 for name, each in stages_ms.items()}
    return Way(number, "r", number * 1_000_000_000, 0, total_ms * 1_000_000, stages_ns, None)


def write_ways(folder: Path, *ways: Way) -> None:
    (folder / STAGES_FILE).write_bytes(stages_parquet(ways))


def test_the_ten_slowest_of_all_rounds_come_slowest_first_with_their_stages(tmp_path: Path) -> None:
    write_ways(write_record(tmp_path, stages=TRACED), *(way(number, 10 + number) for number in range(12)))
    write_ways(write_record(tmp_path, stages=TRACED), way(3, 90, relayed=30), way(4, 5))
    (slowest,) = slowest_of(read_records([tmp_path]), refuse)
    assert (slowest.arch, slowest.rounds, slowest.traced, slowest.one_in) == ("plan1", 2, 1000, 5)
    assert [each.total_ms for each in slowest.messages] == [90, *range(21, 12, -1)]
    first = slowest.messages[0]
    assert (first.round, first.room) == (2, "r")
    assert first.sent_s == pytest.approx(3.001)
    assert first.stages_ms == {"sending": 1, "backend": 59, "relayed": 30}
    assert slowest.stages == ["sending", "backend", "relayed"]


def test_a_share_that_differs_from_run_to_run_is_not_told(tmp_path: Path) -> None:
    for one_in in (5, None):
        folder = write_record(tmp_path, stages=msgspec.structs.replace(TRACED, one_in=one_in))
        write_ways(folder, way(1, 9))
    (slowest,) = slowest_of(read_records([tmp_path]), refuse)
    assert slowest.one_in is None


def test_what_was_cut_is_left_out_and_said(tmp_path: Path) -> None:
    folder = write_record(tmp_path)
    write_ways(folder, way(1, 9))
    (folder / STAGES_FILE).write_bytes((folder / STAGES_FILE).read_bytes()[:100])
    left_out: list[str] = []
    assert slowest_of(read_records([tmp_path]), leaving_out(left_out)) == []
    assert STAGES_FILE in left_out[0]


def test_only_rounds_whose_messages_could_be_read_count(tmp_path: Path) -> None:
    older = write_record(tmp_path, stages=msgspec.structs.replace(TRACED, one_in=7)) / STAGES_FILE
    write_ways(older.parent, way(1, 90))
    pd.read_parquet(older).drop(columns=["room", "intended_ns"]).to_parquet(older)
    write_ways(write_record(tmp_path, stages=TRACED), way(2, 9))
    (slowest,) = slowest_of(read_records([tmp_path]), refuse)  # in silence: an older version did not note them
    assert (slowest.rounds, slowest.traced, slowest.one_in) == (1, 500, 5)
    assert [each.total_ms for each in slowest.messages] == [9]


def test_a_run_without_traced_messages_has_none(tmp_path: Path) -> None:
    write_record(tmp_path)
    write_ways(write_record(tmp_path, "redis", stages=None))
    assert slowest_of(read_records([tmp_path]), refuse) == []
