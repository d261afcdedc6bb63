"""`chatbench costs`: measure the grid, fit unit costs, and validate them with the runs held out."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path

import pandas as pd

from harness.core import settings as config
from harness.core.errors import UsageError
from harness.core.progress import CampaignProgress
from harness.experiments.claims.durability import read_history
from harness.experiments.claims.study import resume as resume_claims
from harness.experiments.costs import shipped
from harness.experiments.costs.advice import Knowledge
from harness.experiments.costs.grid import FITTED, HELD_OUT, CostsPlan, plan
from harness.experiments.costs.latency import LatencyModel, fit_latency
from harness.experiments.costs.latency_validation import LatencyAccuracy, validate_latency
from harness.experiments.costs.model import Model, fit
from harness.experiments.costs.observations import read_points
from harness.experiments.costs.validation import held_out, summed_up
from harness.experiments.plan_file import note, read_again
from harness.experiments.series import run_series
from harness.runs.record import new_folder

ASKED = "costs.json"


def begin(effort: CostsPlan, out: str) -> Path:
    """Make the folder of a new study; raises UsageError if the plan is not valid."""
    plan(effort, Path())
    folder = new_folder(config.make_out_dir(out), "costs")
    note(folder, ASKED, effort)
    return folder


def resume(folder: Path) -> CostsPlan:
    """The plan of the study in that folder; raises UsageError if `chatbench costs` did not make it."""
    return read_again(folder, ASKED, CostsPlan, "costs")


def steps(effort: CostsPlan, folder: Path) -> int:
    """The number of runs."""
    return len(plan(effort, folder))


def run_study(effort: CostsPlan, folder: Path, progress: CampaignProgress) -> None:
    """Run what is not complete yet. Raises ServiceFailed, UsageError or Interrupted."""
    run_series(plan(effort, folder), folder, progress, f"chatbench costs --resume {folder}")


def fit_and_check(folder: Path) -> tuple[Model, pd.DataFrame]:
    """The model fitted to a study's runs, and its predictions for those held out. Raises UsageError if too few."""
    if not (folder / "runs" / FITTED).is_dir():
        raise UsageError(
            f"{folder} is not a folder that `chatbench costs` made; name one, or make one with: chatbench costs"
        )
    try:
        model = fit(read_points([folder / "runs" / FITTED]))
    except ValueError as problem:
        raise UsageError(
            f"{folder} has too few runs to fit unit costs to ({problem}); make more with: chatbench costs"
        ) from problem
    return model, held_out(model, read_points([folder / "runs" / HELD_OUT]))


def read_knowledge(costs: Path | None = None, claims: Path | None = None) -> Knowledge:
    """The data behind advice: from folders of `chatbench costs` and `chatbench claims`, or what chatbench ships.

    Raises UsageError.
    """
    if costs is None:
        model = fit(shipped.read_fitted())
        checked = held_out(model, shipped.read_held_out())
    else:
        model, checked = fit_and_check(costs)
    readable = shipped.read_readable() if claims is None else read_readable(claims)
    latency, accuracy = _shipped_latency() if costs is None else _latency(model.points)
    return Knowledge(model, summed_up(checked), readable, latency, accuracy)


@cache
def _shipped_latency() -> tuple[LatencyModel | None, Sequence[LatencyAccuracy]]:
    return _latency(shipped.read_fitted())


def _latency(points: pd.DataFrame) -> tuple[LatencyModel | None, Sequence[LatencyAccuracy]]:
    """The latency model of these runs and its accuracy; None if they are too few for it."""
    try:
        return fit_latency(points), tuple(validate_latency(points))
    except ValueError:
        return None, ()


def read_readable(claims: Path) -> dict[str, bool]:
    """Whether every acked message could be read after a restart, by architecture. Raises UsageError."""
    resume_claims(claims)  # raises UsageError if the folder is not a study of claims
    readable = read_history(claims)
    if not readable:
        raise UsageError(
            f"{claims} has not measured what can be read after a restart, which C7 and C8 test; "
            "name another folder, or make one with: chatbench claims --claim C7"
        )
    return {each.arch: each.readable == each.acked for each in readable}
