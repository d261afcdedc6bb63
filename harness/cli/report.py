"""`chatbench report`: tables, charts and a page, made from records without running anything."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness.cli.console import console, json_option, print_json, say, tell
from harness.cli.help import command
from harness.cli.otel import OTEL, refuse_otel_in_vain, send_to_opentelemetry
from harness.cli.types import FOLDER
from harness.core.errors import DISK_ERRORS, UsageError

if TYPE_CHECKING:
    from harness.report.comparison import Report


@command()
@click.argument("folders", nargs=-1, required=True, type=FOLDER, metavar="DIR...")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Folder that the report is written to.  [default: the first DIR]",
)
@OTEL
@json_option("verdicts and figures as JSON")
def report(folders: tuple[Path, ...], out: Path | None, otel: bool, as_json: bool) -> None:
    """Make the report again from the records: tables, charts, frames and report.html.

    \b
    Examples:
      chatbench report results/20261123T150000Z-compare-big_room
      chatbench report results/*-compare-big_room --out results/both
      chatbench report results/*-plan1-big_room results/*-redis-big_room --out results/two_runs
      chatbench report --otel results/20261123T150000Z-redis-big_room

    Several comparisons of the same load are reported as one with the blocks of all. The report also says whether they
    agree with each other: in how many pairs of architectures, and which figures contradict.
    """
    from harness.core.settings import make_out_dir

    if otel:
        refuse_otel_in_vain()
    show_report(make_report(folders, make_out_dir(str(folders[0] if out is None else out))), as_json=as_json)
    if otel:
        send_to_opentelemetry(folders, as_json=as_json)


def make_report(folders: Sequence[Path], folder: Path) -> Report:
    """Write the report of the records in these folders."""
    from msgspec.structs import replace

    from harness.report.agreement import agreements_of
    from harness.report.html import write_report

    try:
        return replace(write_report(folders, folder), agreements=agreements_of(folders))
    except OSError as problem:
        if problem.errno in DISK_ERRORS:
            raise
        raise UsageError(f"the report cannot be written ({problem}); name another folder with --out") from problem


def show_report(made: Report, *, as_json: bool) -> None:
    """Print the report's verdicts and tables, or all of it as JSON."""
    from harness.report.agreement import agreement_lines
    from harness.report.comparison import undecided, under
    from harness.report.decision_text import MARKS_NOTE, decision_lines, decision_table, verdict_lines
    from harness.report.ranking import choice_lines, ranking
    from harness.report.slowest_messages import slowest_table
    from harness.report.why_slower import why_slower

    for line in made.left_out:
        click.echo(f"chatbench: {line}", err=True)
    if as_json:
        print_json(made)
        return
    out = console()
    for decision in made.decisions:
        tell(out, *verdict_lines(decision))
        out.print()
        out.print(decision_table(decision))
        tell(out, MARKS_NOTE)
        out.print()
        tell(out, *decision_lines(decision))
        out.print()
    for agreement in made.agreements:
        tell(out, *agreement_lines(agreement))
        out.print()
    for comparison in undecided(made):
        tell(out, *choice_lines(comparison))
        out.print(ranking(comparison))
        out.print()
        if lines := [why_slower(each) for each in under(comparison.workload, made.stage_differences)]:
            tell(out, *lines)
            out.print()
        if len(comparison.architectures) == 1:  # of several, the page has them
            for slowest in under(comparison.workload, made.slowest):
                out.print(slowest_table(slowest))
                out.print()
    say(out, f"report: {made.page}", f"frames: {made.frames}")
