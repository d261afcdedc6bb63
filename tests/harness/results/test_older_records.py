"""Records that chatbench 0.1.0 made are still read; what they do not have is not measured."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.report.html import write_report
from harness.results.frames import frames_of, read_records

OLD = Path(__file__).parent / "of_0_1_0"  # two runs of the reference that came with it


def test_its_figures_are_those_that_it_told() -> None:
    runs = frames_of(read_records([OLD])).runs.set_index("arch")
    assert runs["expected"].to_dict() == {"plan1": 621_200, "redis": 492_997}
    assert (runs["delivered"] == runs["expected"]).all()
    assert runs["latency_p50_ms"].to_dict() == {"plan1": 4.487, "redis": 2.499}
    assert runs.loc["plan1", "cpu_system_us_per_delivery"] == pytest.approx(8.8377 + 11.2202)
    assert runs.loc["redis", "cpu_system_us_per_delivery"] == pytest.approx(8.6207 + 0.5477)
    assert runs["returns"].to_dict() == {"plan1": 540, "redis": 540}


def test_what_it_did_not_measure_is_missing() -> None:
    frames = frames_of(read_records([OLD]))
    assert frames.stages.empty
    assert frames.runs[["independent_messages", "slowness_ms"]].isna().all(axis=None)
    assert frames.seconds["gateway_cpu_ms"].isna().all()


@pytest.mark.slow
def test_its_report_can_be_made_anew(tmp_path: Path) -> None:
    report = write_report([OLD], tmp_path)
    assert report.left_out == []
    page = Path(report.page).read_text(encoding="utf-8")
    assert "plan1" in page
    assert "redis" in page
