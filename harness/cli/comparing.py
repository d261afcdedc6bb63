"""`chatbench run`, `compare` and `capacity`: measure, and show what was measured."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from harness.cli import conflicts as beside
from harness.cli.console import campaign_progress, console, json_option, print_json, run_progress, say, tell
from harness.cli.help import command
from harness.cli.options import (
    ARCH,
    ARCH_SET,
    ARCHITECTURES,
    DEDUP,
    FAULT,
    RATE,
    RATE_HELP,
    external_options,
    host_options,
    load_options,
    shape_options,
)
from harness.cli.report import make_report, show_report
from harness.cli.resume import RESUME, refuse_beside_resume
from harness.cli.types import COUNT, DURATION, NUMBER
from harness.core.errors import ExitCode


@command()
@ARCH
@shape_options
@DEDUP
@ARCH_SET
@RATE
@FAULT
@external_options
@host_options
@load_options
@json_option("summary.json")
def run(as_json: bool, **given: Any) -> None:
    """Run one architecture for real, check every delivery, and record what it cost.

    \b
    Examples:
      chatbench run --arch plan1
      chatbench run --arch plan1 --members 1k --rate 20 --duration 1m
      chatbench run --arch plan1 --gateways 2 --partitions 4 --dedup
      chatbench run --arch naive --gateways 4 --duration 10s --json
      chatbench run --arch plan2 --fault kill:gateway@10s
      chatbench run --arch plan1 --gateways-at ws://192.168.1.20:9001 --expect-workers 2 --master-bind 192.168.1.5:5557
      chatbench run --arch plan1 --brokers 3 --fault pause:broker:3s@5s --fault kill:gateway@15s

    Exit codes: 0 ran, 2 usage, 3 a service failed, 4 the driver was not valid, 130 interrupted.
    """
    # Imported here, as in all commands, so that `chatbench --help` need not wait for what only a run needs.
    from harness.core.registry import load_contender  # noqa: PLC0415
    from harness.core.settings import RunSettings  # noqa: PLC0415
    from harness.runs.run import run_once  # noqa: PLC0415

    settings = RunSettings(**given)
    architecture = load_contender(settings.arch)
    with run_progress() as progress:
        outcome = run_once(settings, architecture, progress)
    # What was measured is told before anything is made of it, which may fail.
    out = console()
    if as_json:
        print_json(outcome.summary)
    else:
        from harness.report.table import summary_table, verdict_lines  # noqa: PLC0415 - after the run: it takes time

        out.print(summary_table(outcome.summary))
        tell(out, *verdict_lines(outcome.summary))
        say(out, f"record: {outcome.folder}")
    with run_progress() as progress:
        progress.step("report", "charts and page")
        from harness.report.html import write_report  # noqa: PLC0415 - as above

        made = write_report([outcome.folder], outcome.folder)
    if not as_json:
        say(out, f"report: {made.page}")
    if outcome.summary.driver.valid is False:
        if as_json:
            click.echo(f"chatbench: the driver was not valid: {outcome.summary.driver.why}", err=True)
        sys.exit(ExitCode.DRIVER_NOT_VALID)


@command()
@ARCHITECTURES
@click.option("--rounds", type=COUNT, default=3, show_default=True, metavar="N", help="How often each is run.")
@shape_options
@ARCH_SET
@FAULT
@click.option(
    "--rate",
    "rates_per_s",
    type=NUMBER,
    multiple=True,
    default=(20.0,),
    metavar="N",
    help=f"{RATE_HELP} Several are taken.  [default: 20]",
)
@external_options
@load_options
@RESUME
@json_option("verdicts and figures as JSON")
def compare(
    architectures: tuple[str, ...],
    rounds: int,
    rates_per_s: tuple[float, ...],
    resume: Path | None,
    as_json: bool,
    **given: Any,
) -> None:
    """Run several architectures under the same load, in interleaved rounds, and say which one to choose.

    \b
    Examples:
      chatbench compare
      chatbench compare --arch plan1 --arch redis --scenario many_rooms --gateways 4
      chatbench compare --rate 20 --rate 100 --rate 500 --duration 10s
      chatbench compare --resume results/20261123T150000Z-compare-big_room

    Exit codes: as for `chatbench run`.
    """
    from harness.core.settings import RunSettings  # noqa: PLC0415
    from harness.experiments import comparison as campaigns  # noqa: PLC0415
    from harness.services.external import reached  # noqa: PLC0415

    if resume is not None:
        refuse_beside_resume()
        campaign, folder = campaigns.resume(resume), resume
    else:
        beside.refuse_unused_backends(architectures)
        campaign = campaigns.Campaign(
            architectures=architectures,
            rates_per_s=rates_per_s,
            rounds=rounds,
            common=reached(RunSettings(arch=architectures[0], **given)),
        )
        folder = campaigns.begin(campaign, campaign.common.out)
    with campaign_progress(len(list(campaigns.plan(campaign, folder)))) as progress:
        outcomes = campaigns.run_campaign(campaign, folder, progress)
        progress.step("report", "charts and page")
        made = make_report([folder], folder)
    show_report(made, as_json=as_json)
    if late := sum(outcome.summary.driver.valid is False for outcome in outcomes):
        if as_json:
            click.echo(f"chatbench: the driver was not valid in {late} of {len(outcomes)} runs", err=True)
        sys.exit(ExitCode.DRIVER_NOT_VALID)


@command(context_settings={"default_map": {"duration_s": "10s", "warmup_s": "3s"}})
@ARCH
@shape_options
@DEDUP
@ARCH_SET
@click.option(
    "--slo", "p99_s", type=DURATION, default="200ms", show_default=True, help="p99 of delivery must stay below."
)
@click.option("--from", "start_per_s", type=NUMBER, default=50, show_default=True, metavar="N", help="First rate.")
@click.option(
    "--precision",
    type=NUMBER,
    metavar="SHARE",
    default=0.1,
    show_default=True,
    help="How close held and broke must lie, as a share.",
)
@click.option(
    "--repeats", type=COUNT, default=3, show_default=True, metavar="N", help="Runs that must hold at the end."
)
@external_options
@host_options
@load_options
@json_option("capacity.json")
def capacity(p99_s: float, start_per_s: float, precision: float, repeats: int, as_json: bool, **given: Any) -> None:
    """Find the highest rate at which p99 of delivery stays below --slo, nothing is lost and the driver keeps up.

    \b
    Examples:
      chatbench capacity --arch redis
      chatbench capacity --arch plan2 --scenario many_rooms --gateways 4 --slo 100ms

    The rate is doubled until the objective breaks, then narrowed down, then run again. Where only the driver was in the
    way of more, it is "at least" that. Exit codes: as for run; 4 if the driver was not valid at any rate.
    """
    from harness.core.registry import load_contender  # noqa: PLC0415
    from harness.core.settings import RunSettings  # noqa: PLC0415
    from harness.experiments.capacity import Objective, Plan, find_capacity  # noqa: PLC0415

    settings = RunSettings(**given)
    plan = Plan(objective=Objective(p99_ms=p99_s * 1000), start_per_s=start_per_s, precision=precision, repeats=repeats)
    with run_progress() as progress:
        found, folder = find_capacity(settings, load_contender(settings.arch), plan, progress)
        progress.step("report", "chart")
        from harness.report.charts import hockey_stick  # noqa: PLC0415 - after the runs: it takes a second
        from harness.report.style import save  # noqa: PLC0415
        from harness.report.table import capacity_lines, capacity_table  # noqa: PLC0415

        chart = save(hockey_stick(found), folder / "charts", "capacity")
    if as_json:
        print_json(found.answer())
    else:
        out = console()
        out.print(capacity_table(found))
        say(out, *capacity_lines(found), f"record: {folder}", f"chart: {chart.with_suffix('.png')}")
    if found.rate_per_s is None and found.limited_by_driver:
        sys.exit(ExitCode.DRIVER_NOT_VALID)
