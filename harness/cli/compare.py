"""`chatbench compare`: several architectures under the same load, and which one to choose."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

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
from harness.cli.report import make_report, show_report
from harness.cli.resume import RESUME, refuse_beside_resume
from harness.cli.types import COUNT, NUMBER
from harness.core.errors import ExitCode


@command()
@ARCHITECTURES
@click.option(
    "--rounds",
    type=COUNT,
    default=3,
    show_default=True,
    metavar="N",
    help="Number of times that each architecture is run.",
)
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
    help=f"{RATE_HELP} Repeat it for several rates.  [default: 20]",
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

    Exit codes are those of `chatbench run`.
    """
    from harness.core.settings import RunSettings
    from harness.experiments import comparison as campaigns
    from harness.services.external import resolve_brokers

    if resume is not None:
        refuse_beside_resume()
        campaign, folder = campaigns.resume(resume), resume
    else:
        conflicts.refuse_unused_backends(architectures)
        campaign = campaigns.Campaign(
            architectures=architectures,
            rates_per_s=rates_per_s,
            rounds=rounds,
            common=resolve_brokers(RunSettings(arch=architectures[0], **given)),
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
