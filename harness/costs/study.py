"""`chatbench costs`: measure the grid, fit unit costs, check them on runs that were held out, and write it down."""

from __future__ import annotations

import sys
from pathlib import Path

import msgspec

from harness import config
from harness.costs.grid import Effort, plan
from harness.errors import UsageError
from harness.record import new_folder
from harness.report.progress import CampaignProgress
from harness.series import run_series

ASKED = "costs.json"


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """costs.json: enough to go on after an interruption."""

    effort: Effort
    command: tuple[str, ...] = ()


def begin(effort: Effort, out: str) -> Path:
    """Make the folder of a new study; raises UsageError if it cannot be run as asked."""
    plan(effort, Path())
    folder = new_folder(config.make_out_dir(out), "costs")
    asked = Asked(effort=effort, command=("chatbench", *sys.argv[1:]))
    (folder / ASKED).write_bytes(msgspec.json.format(msgspec.json.encode(asked)))
    return folder


def resume(folder: Path) -> Effort:
    """What is to be measured in that folder; raises UsageError if `chatbench costs` did not make it."""
    try:
        return msgspec.json.decode((folder / ASKED).read_bytes(), type=Asked).effort
    except (OSError, msgspec.DecodeError) as problem:
        raise UsageError(
            f"--resume {str(folder)!r} is no folder that `chatbench costs` made ({problem}); name one that has a {ASKED}"
        ) from problem


def run_study(effort: Effort, folder: Path, progress: CampaignProgress) -> None:
    """Run what is not complete yet. Raises ServiceFailed, UsageError or Interrupted."""
    run_series(plan(effort, folder), folder, progress, f"chatbench costs --resume {folder}")
