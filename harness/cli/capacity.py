"""`chatbench capacity`: the highest rate that meets an objective."""

from __future__ import annotations

import sys
from typing import Any

import click

from harness.cli.console import console, json_option, print_json, run_progress, say
from harness.cli.help import command
from harness.cli.options import (
    ARCH,
    arch_options,
    external_options,
    host_options,
    load_options,
    shape_options,
)
from harness.cli.types import COUNT, DURATION, NUMBER
from harness.core.errors import ExitCode


@command(context_settings={"default_map": {"duration_s": "10s", "warmup_s": "3s"}})
@ARCH
@shape_options
@arch_options
@click.option(
    "--slo",
    "p99_s",
    type=DURATION,
    default="200ms",
    show_default=True,
    help="Upper limit for the p99 of delivery latency.",
)
@click.option(
    "--from",
    "start_per_s",
    type=NUMBER,
    default=50,
    show_default=True,
    metavar="N",
    help="Rate to start at, in messages per second.",
)
@click.option(
    "--precision",
    type=NUMBER,
    metavar="SHARE",
    default=0.1,
    show_default=True,
    help="Stop when the highest rate that held and the lowest that broke are this close, as a share.",
)
@click.option(
    "--repeats",
    type=COUNT,
    default=3,
    show_default=True,
    metavar="N",
    help="Runs at the final rate that must all meet the objective.",
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

    The rate is doubled until the objective breaks, then narrowed down, and the result is confirmed by repeated runs.
    If the driver and not the system was the limit, the result is reported as "at least" that rate. Exit codes are
    those of `chatbench run`; 4 means that the driver was not valid at any rate.
    """
    from harness.core.registry import load_candidate
    from harness.core.settings import RunSettings
    from harness.experiments.capacity import Objective, Plan, find_capacity

    settings = RunSettings(**given)
    plan = Plan(objective=Objective(p99_ms=p99_s * 1000), start_per_s=start_per_s, precision=precision, repeats=repeats)
    with run_progress() as progress:
        found, folder = find_capacity(settings, load_candidate(settings.arch), plan, progress)
        progress.step("report", "chart")
        from harness.report.capacity import capacity_lines, capacity_table
        from harness.report.rate_charts import hockey_stick
        from harness.report.style import save

        chart = save(hockey_stick(found), folder / "charts", "capacity")
    if as_json:
        print_json(found.answer())
    else:
        out = console()
        out.print(capacity_table(found))
        say(out, *capacity_lines(found), f"record: {folder}", f"chart: {chart.with_suffix('.png')}")
    if found.rate_per_s is None and found.limited_by_driver:
        sys.exit(ExitCode.DRIVER_NOT_VALID)
