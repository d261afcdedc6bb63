"""`--resume`: continue an interrupted command of many runs with its original options."""

from __future__ import annotations

import click

from harness.cli import conflicts
from harness.cli.types import FOLDER

RESUME = click.option(
    "--resume",
    type=FOLDER,
    metavar="DIR",
    help="Continue an interrupted command in this folder, with its original options.",
)


def refuse_beside_resume() -> None:
    """Raise UsageError if the current command was given other options beside --resume."""
    conflicts.refuse(None, "--resume continues with the original options", but=["--resume", "--json"])
