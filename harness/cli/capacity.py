"""`chatbench capacity`: up to which load architectures hold an objective."""

from __future__ import annotations

import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from harness.cli import conflicts
from harness.cli.console import campaign_progress, console, json_option, print_json, say
from harness.cli.help import command
from harness.cli.options import (
    ARCHITECTURES,
    RATE,
    arch_options,
    external_options,
    host_options,
    load_options,
    other_shape_options,
)
from harness.cli.resume import RESUME, refuse_beside_resume
from harness.cli.types import COUNT, DURATION, NUMBER
from harness.core.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from harness.experiments.capacity import Search

REPORT_S = 5.0  # about
START = {"rate": 200.0, "gateways": 200.0, "members": 100.0}  # and over rooms, --rooms
FIXED_OVER = {
    "rate": (["rate_per_s"], "--over rate raises the rate itself, beginning with --from"),
    "gateways": (["rate_per_s"], "--over gateways raises the rate itself, beginning with --from"),
    "members": (["members"], "--over members raises their number itself, beginning with --from"),
    "rooms": ([], ""),
}


@command(context_settings={"default_map": {"duration_s": "6s", "warmup_s": "2s"}})
@ARCHITECTURES
@click.option(
    "--gateways",
    type=COUNT,
    multiple=True,
    metavar="N",
    help="Number of gateway processes; with --over gateways, repeat it for each number to compare.  [default: 2; "
    "direct: 1; with --over gateways: 1, 2, 4 and 8]",
)
@other_shape_options
@arch_options
@click.option(
    "--over",
    type=click.Choice(["rate", "members", "rooms", "gateways"]),
    default="rate",
    show_default=True,
    metavar="WHAT",
    help="What to raise: rate; members under the same --rate; rooms, each with its share of the --members and of the "
    "--rate that are given for --rooms; or the rate for each of several numbers of gateways.",
)
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
    "start",
    type=NUMBER,
    metavar="N",
    help="Load to start at.  [default: 200 messages per second, 100 members, or --rooms]",
)
@click.option(
    "--precision",
    type=NUMBER,
    metavar="SHARE",
    default=0.1,
    show_default=True,
    help="Stop when the limit of each architecture is known this closely, as a share.",
)
@click.option(
    "--budget",
    "budget_s",
    type=DURATION,
    default="15m",
    show_default=True,
    help="Time to measure; what is not known then is shown with a wider interval. A limit takes two to three minutes: "
    "for --over gateways with five architectures give 60m.",
)
@RATE
@external_options
@host_options
@load_options
@RESUME
@json_option("capacity.json")
def capacity(
    *,
    architectures: tuple[str, ...],
    p99_s: float,
    over: str,
    gateways: tuple[int, ...],
    start: float | None,
    precision: float,
    budget_s: float,
    resume: Path | None,
    as_json: bool,
    **given: Any,
) -> None:
    """Find up to which load p99 of delivery stays below --slo, nothing is lost and the driver keeps up.

    \b
    Examples:
      chatbench capacity
      chatbench capacity --arch redis --over members --rate 10
      chatbench capacity --arch redis --scenario many_rooms --over rooms --rooms 20 --members 100 --rate 50
      chatbench capacity --arch plan1 --arch redis --over gateways --gateways 1 --gateways 2 --gateways 4 --budget 30m
      chatbench capacity --arch plan1 --arch plan2 --scenario many_rooms --gateways 4 --slo 100ms
      chatbench capacity --resume results/20261128T150000Z-capacity-big_room

    The architectures take turns. Each is tried at the load that says most about its limit, until the load at which one
    run in two holds is known to 10 %, with its 95 % interval. Where the driver or the machine and not the architecture
    was the limit, the result is shown as "more than" (>) that load, with what was full.

    Without --arch, direct is searched as well: the driver and one gateway, without a backend. Where a process of the
    driver is full and cores are left, that architecture's next runs have one more, unless --processes is given.

    Exit codes are those of `chatbench run`; 4 means that the driver was not valid at any rate.
    """
    import msgspec

    from architectures.interface import Role
    from harness.core.registry import find_scenario, named
    from harness.core.settings import RunSettings
    from harness.experiments import capacity as searches
    from harness.experiments.attempt import Objective
    from harness.experiments.axis import Over
    from harness.experiments.contestants import NUMBERS_OF_GATEWAYS
    from harness.experiments.searching import find_capacities
    from harness.services.external import resolve_brokers

    if resume is not None:
        refuse_beside_resume()
        search, folder = searches.resume(resume), resume
    else:
        conflicts.refuse_unused_backends(architectures)
        numbers = (gateways or NUMBERS_OF_GATEWAYS) if over == "gateways" else ()
        if not conflicts.given(["architectures"]) and (not numbers or 1 in numbers):
            architectures = (*named(Role.FLOOR), *architectures)
        fixed, why = FIXED_OVER[over]
        conflicts.refuse(fixed, why)
        if len(gateways) > 1 and over != "gateways":
            raise UsageError("--gateways is given more than once; give --over gateways to compare several numbers")
        if over == "gateways":
            conflicts.refuse(["gateways_at"], "--over gateways starts gateways, as many as it compares")
        if len(architectures) > 1:
            conflicts.refuse(["gateways_at"], "running gateways have one architecture; name it with a single --arch")
        common = resolve_brokers(RunSettings(arch=architectures[0], **given))
        if over != "gateways" and gateways:
            common = msgspec.structs.replace(common, gateways=gateways[0])
        search = searches.Search(
            architectures=architectures,
            scenario=find_scenario(common.scenario).stem,
            objective=Objective(p99_ms=1000 * p99_s),
            over=Over(over),
            start=START.get(over, common.rooms or 1) if start is None else start,
            precision=precision,
            budget_s=budget_s,
            settings=common,
            gateways=numbers,
            more_processes=not conflicts.given(["processes"]) and not common.expect_workers,
        )
        search, folder = searches.begin(search)
    if search.budget_s < search.least_s:
        click.echo(f"chatbench: {_too_short(search)}", err=True)
    with campaign_progress(search.least_runs, run_s=search.run_s, or_more=True) as progress:
        found = find_capacities(search, folder, progress)
        progress.finish("report", "chart and page", REPORT_S)
        from harness.report.capacity_page import write_capacity

        page = write_capacity(found, folder)
    if as_json:
        print_json(found)
    else:
        _show(found)
        say(console(), f"record: {folder}", f"report: {page}")
    attempts = [attempt for each in found.capacities for attempt in each.attempts]
    if attempts and not any(attempt.driver_valid for attempt in attempts):
        sys.exit(ExitCode.DRIVER_NOT_VALID)


def _show(found: Search) -> None:
    from harness.experiments.axis import Over
    from harness.report.capacity import attempts_table, capacity_table
    from harness.report.speedup import speedup_table

    out = console()
    if len(found.capacities) == 1:
        out.print(attempts_table(found.capacities[0], found.over))
    out.print(capacity_table(found))
    if found.over is Over.GATEWAYS:
        out.print(speedup_table(found))


def _too_short(search: Search) -> str:
    from harness.core.units import duration_text

    limits, minutes = len(search.contestants), math.ceil(search.least_s / 60)
    many = f"{limits} limits take" if limits > 1 else "a limit takes"
    budget = duration_text(search.budget_s)
    return f"{many} about {minutes}m or more, and --budget is {budget}: what is not known then has a wider interval"
