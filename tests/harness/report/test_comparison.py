"""The comparison of one workload, from made-up records and from the reference."""

from __future__ import annotations

from pathlib import Path

import pytest

from architectures.plan1 import Plan1
from harness.report.comparison import Comparison, compare, split_by
from harness.report.section import section_of
from harness.results.frames import WORKLOAD, frames_of, read_records
from harness.runs.promises import PromiseCheck
from harness.runs.summary import FaultSeen
from tests.harness.report.records import write_record
from tools.docs.quotes import REFERENCE


def compared(folder: Path) -> Comparison:
    return compare(frames_of(read_records([folder])))


def promised(comparison: Comparison) -> dict[str, dict[str, str]]:
    """Promise -> architecture -> what the page says."""
    return {
        row.label: dict(zip(comparison.names, (cell.value for cell in row.cells), strict=True))
        for row in section_of(comparison).promises
    }


@pytest.mark.slow
def test_there_is_one_p99_of_an_architecture_in_table_json_verdict_and_charts() -> None:
    *_, frames = split_by(frames_of(read_records([REFERENCE / "big_room"])), WORKLOAD)
    comparison = compare(frames)
    (row,) = (row for row in section_of(comparison).rows if row.label == "delivery latency p99, ms")
    for name, cell, contestant in zip(comparison.names, row.cells, comparison.architectures, strict=True):
        spectrum = frames.latency[frames.latency["arch"] == name]
        p99_ms = spectrum.loc[spectrum["share_at_most"] >= 0.99, "latency_ms"].min()
        figure = contestant.figures["latency_p99_ms"]
        assert figure.value == pytest.approx(p99_ms, rel=0.001)
        assert cell.value == f"{figure.value:,.1f} ({figure.least:,.1f} to {figure.most:,.1f})"
        if name == "redis":
            assert f"The lowest p99 delivery latency is that of redis, {figure.value:,.1f} ms" in str(
                comparison.verdict
            )
        if name == "plan1":
            assert f"{figure.value:.1f}" == "7.4", "not the mean of the rounds, which are 6.5 to 14.0"


def test_a_percentile_that_too_few_messages_support_says_so_and_has_no_ratio(tmp_path: Path) -> None:
    write_record(tmp_path, "plan1", independent_messages=999)
    write_record(tmp_path, "redis", independent_messages=1_000)
    comparison = compared(tmp_path)
    (row,) = (row for row in section_of(comparison).rows if row.label == "delivery latency p99, ms")
    plan1, redis = row.cells
    assert (plan1.value, plan1.small) == ("n/a: 999 messages, 1,000 needed", "")
    assert float(redis.value) > 0
    assert "The lowest p99 delivery latency is that of redis" in str(comparison.verdict)


def test_where_no_histogram_was_kept_the_range_of_the_rounds_stands_alone(tmp_path: Path) -> None:
    for name in ("plan1", "redis"):
        write_record(tmp_path / "round-1", name, latency_ms=5)
        write_record(tmp_path / "round-2", name, latency_ms=6)
    comparison = compared(tmp_path)
    (row,) = (row for row in section_of(comparison).rows if row.label == "ack latency p50, ms")
    assert dict(zip(comparison.names, (cell.value for cell in row.cells), strict=True))["plan1"] == "7.5 to 9.0"


@pytest.mark.slow
def test_the_table_of_promises_has_a_row_for_each_fault_and_plan1_has_promised_what_it_survives() -> None:
    table = promised(compared(REFERENCE / "big_room"))
    survived = [promise for promise in table if promise.startswith("survives")]
    assert not any("," in promise for promise in survived)
    for fault in ("kill:gateway", "restart:gateway", "kill:broker", "pause:broker", "cut:gateway-broker"):
        assert fault in Plan1.promises.survives
        assert table[f"survives {fault}: all of the above holds in spite of it"]["plan1"] == "not tested"
    assert table["survives kill:broker: all of the above holds in spite of it"]["redis"] == "not promised"


def test_under_a_fault_that_nobody_promised_to_survive_the_table_says_so(tmp_path: Path) -> None:
    evidence = "not promised under restart:redis: 3 of 1,000 deliveries lost though acked"
    write_record(tmp_path, "redis", promises=[PromiseCheck("everyone", None, evidence)])
    assert promised(compared(tmp_path)) == {"everyone": {"redis": "not promised under restart:redis"}}


def fault(normal_ms: float | None, availability: float | None, *, comparable: bool = True) -> FaultSeen:
    return FaultSeen(
        fault="kill:gateway",
        began_s=0,
        ended_s=None,
        first_delivery_ms=300.0,
        normal_ms=normal_ms,
        comparable=comparable,
        availability=availability,
    )


def test_how_available_it_was_since_a_fault_has_a_row_and_what_nobody_can_tell_is_no_failure(tmp_path: Path) -> None:
    write_record(tmp_path / "1", "plan1", faults=[fault(9600.0, 0.531)])
    write_record(tmp_path / "2", "redis", faults=[fault(None, 1.0, comparable=False)])
    comparison = compared(tmp_path)
    rows = {row.label: [cell.value for cell in row.cells] for row in section_of(comparison).rows}
    told = dict(zip(comparison.names, rows["available since kill:gateway"], strict=True))
    assert told == {"plan1": "53.1%", "redis": "100.0%"}
    told = dict(zip(comparison.names, rows["normal again after kill:gateway, s"], strict=True))
    assert told == {"plan1": "9.6", "redis": "cannot tell"}


def test_older_records_have_no_row_of_how_available_it_was(tmp_path: Path) -> None:
    for name in ("plan1", "redis"):
        write_record(tmp_path / name, name, faults=[fault(9600.0, None)])
    assert not any(row.label.startswith("available") for row in section_of(compared(tmp_path)).rows)
