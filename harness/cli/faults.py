"""`chatbench faults`: every architecture under every fault, with what it promised and what was observed."""

from __future__ import annotations

import sys
from typing import Any

import click

from harness.cli import conflicts
from harness.cli.console import campaign_progress, console, json_option, print_json, say, tell
from harness.cli.help import command
from harness.cli.options import ARCH_SET, ARCHITECTURES, RATE, load_options, shape_options
from harness.cli.types import COUNT
from harness.core.errors import ExitCode

# With many rooms, a fault affects some and not others. The runs are short, because they do not measure costs.
FAULTS_LOAD = {
    "scenario": "many_rooms",
    "rooms": "10",
    "rate_per_s": "50",
    "duration_s": "20s",
    "warmup_s": "5s",
    "brokers": "3",
}


@command(context_settings={"default_map": FAULTS_LOAD})
@ARCHITECTURES
@click.option(
    "--fault",
    "faults",
    multiple=True,
    metavar="WHAT[@WHEN]",
    help="Fault to inject; repeat it for several.  [default: all faults]",
)
@click.option(
    "--rounds", type=COUNT, default=1, show_default=True, metavar="N", help="Number of times that each cell is run."
)
@shape_options
@ARCH_SET
@RATE
@load_options
@json_option("faults.json")
def faults(architectures: tuple[str, ...], faults: tuple[str, ...], rounds: int, as_json: bool, **given: Any) -> None:
    """Run every architecture under every fault, and compare what it promised with what was observed.

    \b
    Examples:
      chatbench faults
      chatbench faults --arch redis --arch kafka-redis --fault restart:redis --fault pause:redis:3s
      chatbench faults --arch plan2 --fault kill:broker --rounds 6

    By default each cell sends 50 messages per second to 10 rooms with three brokers, for 20 s, or for 40 s if
    something is killed; the whole matrix takes about 20 minutes. A single run may be lucky: with several rounds the
    table shows the lowest and the highest value. Exit code 5 means that a promise was broken.
    """
    from harness.core.settings import RunSettings
    from harness.experiments import fault_matrix

    conflicts.refuse_unused_backends(architectures)
    common = RunSettings(arch=architectures[0], **given)
    cells = fault_matrix.plan(common, architectures, faults or fault_matrix.FAULTS, rounds)
    fault_matrix.check_all_have_cells(cells, architectures if conflicts.given(["architectures"]) else (), faults)
    with campaign_progress(len(cells)) as progress:
        matrix, folder = fault_matrix.run_matrix(cells, common, progress)
    from harness.report.faults import faults_lines, faults_table, save_fault_charts

    save_fault_charts(matrix, folder)
    page = folder / "faults.md"
    page.write_text(fault_matrix.markdown(matrix), encoding="utf-8")
    if as_json:
        print_json(matrix)
    else:
        out = console()
        tell(out, *faults_lines(matrix))
        out.print(faults_table(matrix))
        for cell in matrix.cells:
            if cell.why:
                tell(out, f"{cell.arch}, {cell.fault}{fault_matrix.of_round(cell, matrix)}: {cell.why}")
        say(out, f"records: {folder}", f"table: {page}", f"charts: {folder / 'charts'}")
    if any(cell.held is False for cell in matrix.cells):
        sys.exit(ExitCode.CHECK_FAILED)
