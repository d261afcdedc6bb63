"""`chatbench run`: measure one architecture, and show what was measured."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from harness.cli.console import console, json_option, print_json, run_progress, say, tell
from harness.cli.help import command
from harness.cli.options import (
    ARCH,
    FAULT,
    RATE,
    arch_options,
    external_options,
    host_options,
    load_options,
    shape_options,
)
from harness.cli.otel import OTEL, refuse_otel_in_vain, send_to_opentelemetry
from harness.core.errors import ExitCode


@command()
@ARCH
@shape_options
@arch_options
@RATE
@FAULT
@external_options
@host_options
@load_options
@click.option(
    "--no-report",
    is_flag=True,
    help="Leave out charts and page, which take two or three seconds; `chatbench report RECORD` makes them later.",
)
@OTEL
@json_option("summary.json")
def run(as_json: bool, no_report: bool, otel: bool, **given: Any) -> None:
    """Run one architecture on real backends, check every delivery, and record what it cost.

    \b
    Examples:
      chatbench run --arch plan1
      chatbench run --arch plan1 --members 1k --rate 20 --duration 1m
      chatbench run --arch plan1 --gateways 2 --partitions 4 --dedup
      chatbench run --arch naive --gateways 4 --duration 10s --json --no-report
      chatbench run --arch plan2 --fault kill:gateway@10s
      chatbench run --arch plan1 --gateways-at ws://192.168.1.20:9001 --expect-workers 2 --master-bind 192.168.1.5:5557
      chatbench run --arch plan1 --brokers 3 --fault pause:broker:3s@5s --fault kill:gateway@15s

    Exit codes: 0 success, 2 wrong usage, 3 a service failed, 4 the driver was not valid, 130 interrupted.
    """
    # Commands import here, so that `chatbench --help` does not load what only a run needs.
    from harness.core.registry import load_candidate
    from harness.core.settings import RunSettings
    from harness.runs.run import run_once

    if otel:
        refuse_otel_in_vain()
    settings = RunSettings(**given)
    architecture = load_candidate(settings.arch)
    with run_progress() as progress:
        outcome = run_once(settings, architecture, progress)
    # The result is printed before the report is made, because making it may fail.
    out = console()
    if as_json:
        print_json(outcome.summary)
    else:
        from harness.report.run import summary_table, verdict_lines

        out.print(summary_table(outcome.summary))
        tell(out, *verdict_lines(outcome.summary))
        say(out, f"record: {outcome.folder}")
    if not no_report:
        page = _write_report(outcome.folder)
        if not as_json:
            say(out, f"report: {page}")
    is_late = outcome.summary.driver.valid is False
    if is_late and as_json:
        click.echo(f"chatbench: the driver was not valid: {outcome.summary.driver.why}", err=True)
    if otel:
        send_to_opentelemetry([outcome.folder], as_json=as_json)
    if is_late:
        sys.exit(ExitCode.DRIVER_NOT_VALID)


def _write_report(folder: Path) -> str:
    with run_progress() as progress:
        progress.step("report", "charts and page")
        from harness.report.html import write_report

        return write_report([folder], folder).page
