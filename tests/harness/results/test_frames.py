from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from harness.core.errors import UsageError
from harness.measure.validity import DriverVerdict
from harness.results.frames import Frames, frames_of, read_records
from tests.harness.report.records import write_record


def frames_in(folder: Path) -> Frames:
    return frames_of(read_records([folder]))


def test_a_row_is_a_run_and_a_ratio_pairs_the_rounds(tmp_path: Path) -> None:
    for cost_us in (20.0, 30.0):
        write_record(tmp_path, "plan1", cost_us=cost_us)
        write_record(tmp_path, "redis", cost_us=cost_us / 2)
    frames = frames_in(tmp_path)
    assert len(frames.runs) == 4
    assert sorted(frames.runs["round"]) == [1, 1, 2, 2]
    cost = frames.ratios[frames.ratios["metric"] == "cpu_system_us_per_delivery"]
    (ratio,) = cost[(cost["arch"] == "redis") & (cost["over"] == "plan1")].to_dict("records")
    assert [ratio[each] for each in ("ratio", "low", "high")] == pytest.approx([0.5] * 3)
    assert ratio["rounds"] == 2


def test_the_same_record_named_twice_is_one_run(tmp_path: Path) -> None:
    folder = write_record(tmp_path)
    assert len(frames_of(read_records([tmp_path, folder])).runs) == 1


def test_the_latency_of_a_run_whose_driver_was_late_is_left_out(tmp_path: Path) -> None:
    write_record(tmp_path, driver=DriverVerdict(valid=False, why="late"))
    frames = frames_in(tmp_path)
    assert frames.runs["latency_p99_ms"].isna().all()
    assert frames.latency.empty
    assert (frames.runs["delivered"] == 1000).all()


def test_a_run_that_did_not_end_is_shown_and_makes_no_ratio(tmp_path: Path) -> None:
    write_record(tmp_path, "plan1", status="interrupted")
    write_record(tmp_path, "plan1")
    write_record(tmp_path, "redis")
    frames = frames_in(tmp_path)
    assert sorted(frames.runs["status"]) == ["complete", "complete", "interrupted"]
    assert (frames.ratios["rounds"] == 1).all()


def test_loads_that_differ_are_not_compared(tmp_path: Path) -> None:
    write_record(tmp_path, "plan1", rate_per_s=20)
    write_record(tmp_path, "redis", rate_per_s=40)
    assert frames_in(tmp_path).ratios.empty


def test_two_variants_of_an_architecture_are_not_rounds_of_one(tmp_path: Path) -> None:
    for given in (
        {},
        {"partitions": 4},
        {"partitions": 4, "arch_options": ("dedup=1",)},
        {"brokers": 3},
        {"tick_s": 0.02},
    ):
        write_record(tmp_path, "plan1", settings=given)
    runs = frames_in(tmp_path).runs
    set_up = ["plan1 (3 brokers)", "plan1 (4 partitions)", "plan1 (4 partitions, dedup=1)", "plan1 (tick 20 ms)"]
    assert sorted(runs["arch"]) == ["plan1", *set_up]
    assert (runs["round"] == 1).all()


def test_merged_latencies_are_a_distribution(tmp_path: Path) -> None:
    write_record(tmp_path, cost_us=20)
    write_record(tmp_path, cost_us=40)
    latency = frames_in(tmp_path).latency
    assert latency["share_at_most"].is_monotonic_increasing
    assert latency["share_at_most"].iloc[-1] == 1
    assert latency["latency_ms"].min() == pytest.approx(5, rel=0.01)
    assert latency["latency_ms"].max() == pytest.approx(20, rel=0.01)


def test_csv_and_parquet_hold_the_same(tmp_path: Path) -> None:
    write_record(tmp_path / "records", "plan1")
    write_record(tmp_path / "records", "redis")
    frames_in(tmp_path / "records").write(tmp_path / "frames")
    for name in ("runs", "seconds", "latency", "percentiles", "promises", "ratios"):
        text = pd.read_csv(tmp_path / "frames" / f"{name}.csv")
        binary = pd.read_parquet(tmp_path / "frames" / f"{name}.parquet")
        assert list(text.columns) == list(binary.columns)
        assert len(text) == len(binary)


def test_a_folder_without_records_is_one_clear_sentence(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no record of a run in"):
        read_records([tmp_path])


def test_a_broken_record_is_named(tmp_path: Path) -> None:
    folder = write_record(tmp_path)
    (folder / "summary.json").write_text("{")
    with pytest.raises(UsageError, match=f"{folder}/summary.json cannot be read"):
        read_records([tmp_path])


def test_a_percentile_is_that_of_the_merged_rounds_with_their_range(tmp_path: Path) -> None:
    for cost_us in (4, 4, 40):
        write_record(tmp_path, cost_us=cost_us)
    percentiles = {row["metric"]: row for row in frames_in(tmp_path).percentiles.to_dict("records")}
    p50, p99 = percentiles["latency_p50_ms"], percentiles["latency_p99_ms"]
    assert p50["merged_ms"] == pytest.approx(1.75, rel=0.01), (
        "two thirds are below 2 ms: no mean is there, nor a median"
    )
    assert (p50["least_ms"], p50["most_ms"]) == pytest.approx((1.5, 15), rel=0.01)
    assert p99["merged_ms"] == pytest.approx(19.7, rel=0.01)
    assert p99["rounds"] == 3


def test_a_percentile_rests_on_the_independent_messages_of_its_rounds_or_on_all_that_a_record_counts(
    tmp_path: Path,
) -> None:
    write_record(tmp_path, independent_messages=70)
    write_record(tmp_path)  # 100 messages, of a version that did not count independent ones
    percentiles = {row["metric"]: row for row in frames_in(tmp_path).percentiles.to_dict("records")}
    p99, p999, highest = (percentiles[f"latency_{name}_ms"] for name in ("p99", "p999", "max"))
    assert (p99["messages"], p99["messages_needed"], p999["messages_needed"]) == (170, 1_000, 10_000)
    assert pd.isna(highest["messages_needed"])


def test_rounds_that_kept_no_histogram_have_a_range_and_no_percentile(tmp_path: Path) -> None:
    for cost_us in (20, 40):
        (write_record(tmp_path, "plan1", cost_us=cost_us) / "ack.hdr").unlink(missing_ok=True)
    (write_record(tmp_path, "redis") / "latency.hdr").unlink()
    frames = frames_in(tmp_path)
    percentiles = {(row["arch"], row["metric"]): row for row in frames.percentiles.to_dict("records")}
    acks = percentiles["plan1", "ack_p50_ms"]
    assert pd.isna(acks["merged_ms"])
    assert (acks["least_ms"], acks["most_ms"]) == pytest.approx((7.5, 15), rel=0.01)
    alone = percentiles["redis", "latency_p99_ms"]
    assert alone["merged_ms"] == alone["least_ms"] == alone["most_ms"], "one round is its own whole"
    assert set(frames.latency["arch"]) == {"plan1"}
