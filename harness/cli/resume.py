"""`--resume`: a command of many runs goes on as it was asked for."""

from __future__ import annotations

import click

from harness.cli import conflicts
from harness.cli.types import FOLDER

RESUME = click.option(
    "--resume",
    type=FOLDER,
    metavar="DIR",
    help="Go on with an interrupted one; everything else is as it was asked for then.",
)


def refuse_beside_resume() -> None:
    """Raises UsageError if the command at hand was given anything else."""
    conflicts.refuse(None, "--resume goes on as it was asked for then", but=["--resume", "--json"])
