"""`chatbench compare`: several architectures under the same load, and which one to choose."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from harness.cli import conflicts
from harness.cli.console import campaign_progress, json_option
from harness.cli.help import command
from harness.cli.options import (
    ARCH_SET,
    ARCHITECTURES,
    FAULT,
    RATE_HELP,
    external_options,
    load_options,
    shape_options,
)
from harness.cli.otel import OTEL, refuse_otel_in_vain, send_to_opentelemetry
from harness.cli.report import make_report, show_report
from harness.cli.resume import RESUME, refuse_beside_resume
from harness.cli.types import COUNT, DURATION, NUMBER
from harness.core.errors import ExitCode

if TYPE_CHECKING:
    from harness.core.settings import RunSettings

# Runs are short, because they differ more from one another than the seconds within one do: better many than long ones.
COMPARE_LOAD = {"duration_s": "4s", "warmup_s": "1500ms"}
RATES_PER_S = (50.0, 250.0)
REPORT_S = 10.0  # about


@command(context_settings={"default_map": COMPARE_LOAD})
@ARCHITECTURES
@click.option(
    "--budget",
    "budget_s",
    type=DURATION,
    default="10m",
    show_default=True,
    help="Time to measure. At least four blocks are measured, however long they take.",
)
@click.option(
    "--precision",
    "precision_percent",
    type=NUMBER,
    default=10,
    show_default=True,
    metavar="PERCENT",
    help="Stop as soon as every ratio of CPU costs is known to so many percent.",
)
@click.option(
    "--rounds",
    type=COUNT,
    metavar="N",
    help="Measure exactly so many blocks instead: in each, every architecture is run once.",
)
@click.option(
    "--jvm-warmup",
    "jvm_warmup_s",
    type=DURATION,
    default="90s",
    show_default=True,
    help="Warm Kafka until its JVM's compiler has little left to do, at most for so long; 0: not at all.",
)
@shape_options
@ARCH_SET
@FAULT
@click.option(
    "--rate",
    "rates_per_s",
    type=NUMBER,
    multiple=True,
    default=RATES_PER_S,
    metavar="N",
    help=f"{RATE_HELP} Repeat it for several rates: two tell fixed and marginal cost apart.  [default: 50 and 250]",
)
@external_options
@load_options
@RESUME
@OTEL
@json_option("verdicts and figures as JSON")
def compare(
    *,
    architectures: tuple[str, ...],
    budget_s: float,
    precision_percent: float,
    rounds: int | None,
    jvm_warmup_s: float,
    rates_per_s: tuple[float, ...],
    resume: Path | None,
    otel: bool,
    as_json: bool,
    **given: Any,
) -> None:
    """Run several architectures under the same load, in interleaved blocks, and say which one to choose.

    \b
    Examples:
      chatbench compare
      chatbench compare --arch plan1 --arch redis --scenario many_rooms --gateways 4
      chatbench compare --budget 30m --precision 5
      chatbench compare --rate 20 --rate 100 --rate 500 --rounds 6
      chatbench compare --resume results/20261123T150000Z-compare-big_room

    In each block every architecture runs once. After four blocks or more, it stops as soon as it knows the ratios of
    the costs to 10 %, or when the ten minutes are over; docs/statistics.md explains how it decides. A scenario
    in which something happens only after a while, such as reconnect_storm, is measured until it has happened, unless
    --duration says otherwise.

    Exit codes are those of `chatbench run`.
    """
    from harness.core.settings import RunSettings
    from harness.experiments import comparison
    from harness.experiments.campaign import Campaign, least_turns, turn_s, warnings_of
    from harness.services.external import resolve_brokers

    if otel:
        refuse_otel_in_vain()
    if resume is not None:
        refuse_beside_resume()
        campaign, folder = comparison.resume(resume), resume
    else:
        conflicts.refuse_unused_backends(architectures)
        common = resolve_brokers(RunSettings(arch=architectures[0], **given))
        if not conflicts.given(["duration_s"]):
            common = _of_one_cycle(common)
        campaign = Campaign(
            architectures=architectures,
            rates_per_s=rates_per_s,
            rounds=rounds,
            budget_s=budget_s,
            jvm_warmup_s=jvm_warmup_s,
            precision=precision_percent / 100,
            common=common,
        )
        folder = comparison.begin(campaign, campaign.common.out)
    for warning in warnings_of(campaign):
        click.echo(f"chatbench: {warning}", err=True)
    turns, or_more = least_turns(campaign), campaign.rounds is None
    with campaign_progress(turns, run_s=turn_s(campaign), or_more=or_more) as progress:
        outcomes = comparison.run_campaign(campaign, folder, progress)
        progress.finish("report", "charts and page", REPORT_S)
        made = make_report([folder], folder)
    show_report(made, as_json=as_json)
    problems = comparison.driver_problems([each.summary for each in outcomes])
    for problem in problems:
        click.echo(f"chatbench: {problem}", err=True)
    if otel:
        send_to_opentelemetry([folder], as_json=as_json)
    if problems:
        sys.exit(ExitCode.DRIVER_NOT_VALID)


def _of_one_cycle(common: RunSettings) -> RunSettings:
    """The settings with runs that are long enough for the scenario; says so where that is longer than usual."""
    from harness.core.units import duration_text
    from harness.experiments.campaign import of_one_cycle

    longer = of_one_cycle(common)
    if longer != common:
        what = f"each measurement lasts {duration_text(longer.duration_s)}, so that {common.scenario} shows all it does"
        click.echo(f"chatbench: {what}; --duration sets another length", err=True)
    return longer
