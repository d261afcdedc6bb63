"""`chatbench costs` measures its grid in turns, resumes with the turns that are missing, and fits what it measured."""

from __future__ import annotations

import io
import shutil
from pathlib import Path

import pytest
from rich.console import Console

from harness.core.progress import CampaignProgress
from harness.experiments.costs import grid, study
from harness.experiments.costs.grid import FITTED, INSIDE, CostsPlan, Shape
from harness.experiments.costs.observations import read_points
from harness.runs.record import record_folders

PLAN = CostsPlan(duration_s=1.0, warmup_s=0.5, jvm_warmup_s=0.0)
SMALL = {FITTED: (Shape(2, 2, 5, (20, 60)),), INSIDE: (Shape(2, 1, 10, (40,), tick_s=0.02),)}


def run_study(folder: Path) -> str:
    out = Console(file=io.StringIO(), width=200)
    with CampaignProgress(out, study.steps(PLAN, folder)) as progress:
        study.run_study(PLAN, folder, progress)
    assert isinstance(out.file, io.StringIO)
    return out.file.getvalue()


def test_a_study_measures_each_shape_in_turns_and_resumes_with_those_that_are_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(grid, "SHAPES", {**dict.fromkeys(grid.SHAPES, ()), **SMALL})
    monkeypatch.setattr(grid, "candidates", lambda: ["redis", "plan2"])
    folder = study.begin(PLAN, str(tmp_path))
    run_study(folder)
    points = read_points([folder / "runs" / FITTED])
    assert sorted(zip(points["arch"], points["rate_per_s"], strict=True)) == [
        ("plan2", 20),
        ("plan2", 60),
        ("redis", 20),
        ("redis", 60),
    ]
    assert (points["idle_gateway_us_per_s"] > 0).all()
    assert (points["slowness_ms"] > 0).all()
    of_kafka = points["arch"] == "plan2"
    assert points.loc[of_kafka, "kafka_us_per_s"].gt(0).all()
    assert points.loc[~of_kafka, "kafka_us_per_s"].isna().all()

    checking = study.read_validating(folder / "runs")
    assert set(checking["range"]) == {INSIDE}
    assert set(checking["tick_s"]) == {0.02}

    assert "run 1 of" not in run_study(folder), "nothing is missing"
    shutil.rmtree(record_folders(folder / "runs" / INSIDE)[0])
    assert "run 3 of 4" not in run_study(folder).replace("run 4 of 4", ""), "only the missing turn is measured again"
    assert len(record_folders(folder / "runs" / INSIDE)) == 2
