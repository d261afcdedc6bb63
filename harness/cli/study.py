"""Options and steps that `chatbench claims` and `chatbench costs` share; both are studies that can be resumed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeVar

import click

from harness.cli import conflicts
from harness.cli.console import campaign_progress
from harness.cli.options import OUT, SEED, together
from harness.cli.resume import RESUME, refuse_beside_resume
from harness.cli.types import FOLDER

if TYPE_CHECKING:
    from harness.core.progress import CampaignProgress


StudyPlan = TypeVar("StudyPlan")


class Study(Protocol[StudyPlan]):
    """The interface of the modules claims.study and costs.study."""

    def begin(self, effort: StudyPlan, out: str) -> Path: ...
    def resume(self, folder: Path) -> StudyPlan: ...
    def steps(self, effort: StudyPlan, folder: Path) -> int: ...
    def run_study(self, effort: StudyPlan, folder: Path, progress: CampaignProgress) -> None: ...


study_options = together(
    SEED,
    OUT,
    RESUME,
    click.option(
        "--from",
        "measured",
        type=FOLDER,
        metavar="DIR",
        help="Evaluate the records in this folder instead of running anything.",
    ),
)


def runs_of(study: Study[StudyPlan], plan: StudyPlan, out: str, resume: Path | None) -> Path:
    """Run the study's missing runs, and return its folder. With `resume`, the plan is the one stored there."""
    if resume is None:
        folder = study.begin(plan, out)
    else:
        refuse_beside_resume()
        plan, folder = study.resume(resume), resume
    with campaign_progress(study.steps(plan, folder)) as progress:
        study.run_study(plan, folder, progress)
    return folder


def refuse_beside_from(*but: str) -> None:
    """Raise UsageError if the current command was given options that have no effect with --from, except `but`."""
    conflicts.refuse(
        None, "--from evaluates existing records and runs nothing", but=["--from", "--out", "--json", *but]
    )
