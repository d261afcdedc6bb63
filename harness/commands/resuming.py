"""`--resume`: a command of many runs goes on as it was asked for."""

from __future__ import annotations

import click
from click.core import ParameterSource

from harness.errors import UsageError
from harness.quantities import FOLDER

BY_THE_USER = (ParameterSource.COMMANDLINE, ParameterSource.DEFAULT_MAP)  # here, or in a file
RESUME = click.option(
    "--resume",
    type=FOLDER,
    metavar="DIR",
    help="Go on with an interrupted one; everything else is as it was asked for then.",
)


def refuse_beside_resume() -> None:
    """Raises UsageError if the command at hand was given anything else."""
    context = click.get_current_context()
    asked = [name for name in context.params if context.get_parameter_source(name) in BY_THE_USER and name != "resume"]
    if asked:
        options = ", ".join(max(each.opts, key=len) for each in context.command.params if each.name in asked)
        raise UsageError(f"--resume goes on as it was asked for then, so leave {options} out")
