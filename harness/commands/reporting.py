"""`chatbench report`: tables, charts and a page, from records alone."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from harness.commands.output import console, say, tell
from harness.errors import DISK_ERRORS, UsageError
from harness.quantities import FOLDER


@click.command()
@click.argument("folders", nargs=-1, required=True, type=FOLDER, metavar="DIR...")
@click.option("--out", type=click.Path(path_type=Path), metavar="DIR", help="Where to write.  [default: the first DIR]")
def report(folders: tuple[Path, ...], out: Path | None) -> None:
    """Make the report again, from records alone: tables, charts, frames and report.html.

    \b
    Examples:
      chatbench report results/20261123T150000Z-compare-big_room
      chatbench report results/*-plan1-big_room results/*-redis-big_room --out results/both
    """
    from harness.config import make_out_dir  # noqa: PLC0415 - see comparing.py

    show_report(folders, make_out_dir(str(folders[0] if out is None else out)))


def show_report(folders: Sequence[Path], folder: Path) -> None:
    """Write it, and print its verdicts and tables."""
    from harness.report.html import write_report  # noqa: PLC0415 - see comparing.py
    from harness.report.ranking import choice_lines, ranking  # noqa: PLC0415

    left_out: list[str] = []
    try:
        page, comparisons = write_report(folders, folder, left_out)
    except OSError as problem:
        if problem.errno in DISK_ERRORS:
            raise
        raise UsageError(f"the report cannot be written ({problem}); name another folder with --out") from problem
    for told in left_out:
        click.echo(f"chatbench: {told}", err=True)
    out = console()
    for comparison in comparisons:
        tell(out, *choice_lines(comparison))
        out.print(ranking(comparison))
        out.print()
    say(out, f"report: {page}", f"frames: {folder / 'frames'}")
