"""`chatbench simulate`: a fleet of any size under a chat, simulated event by event from the cost model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from harness.cli.chat_size import COSTS, PAYLOAD
from harness.cli.console import console, json_option, print_json, say, tell
from harness.cli.help import command
from harness.cli.types import COUNT, FOLDER, NUMBER


@command()
@click.option(
    "--arch",
    "architectures",
    multiple=True,
    metavar="NAME",
    help="Architecture to simulate; repeat it for several.  [default: all that the cost model covers]",
)
@click.option("--rooms", type=COUNT, metavar="N", help="Number of rooms.")
@click.option("--members-per-room", type=NUMBER, metavar="N", help="Average number of members in a room.")
@click.option(
    "--rate",
    "rate_per_s",
    type=NUMBER,
    metavar="N",
    help="Messages per second, summed over all rooms; with a curve, the mean over the day.",
)
@PAYLOAD
@click.option("--gateways", type=COUNT, metavar="N", help="Number of gateways.  [default: as `chatbench advise` says]")
@click.option("--brokers", type=COUNT, default=3, show_default=True, metavar="N", help="Number of Kafka brokers.")
@click.option(
    "--broker-cores", type=COUNT, default=4, show_default=True, metavar="N", help="Number of cores of each broker."
)
@click.option(
    "--replicas",
    type=COUNT,
    default=1,
    show_default=True,
    metavar="N",
    help="Number of brokers that keep each record, 1 or 3.",
)
@click.option("--partitions", type=COUNT, metavar="N", help="Number of Kafka partitions.  [default: one a gateway]")
@click.option(
    "--shards",
    type=COUNT,
    default=1,
    show_default=True,
    metavar="N",
    help="Number of Redis servers that share the rooms.",
)
@click.option(
    "--hot-room",
    type=NUMBER,
    metavar="SHARE",
    help="Share of all members and messages that belong to the hottest room.  [default: rooms are equal]",
)
@click.option("--day", is_flag=True, help="Simulate a day with a quiet night, a busy evening and a goal at 20:45.")
@click.option(
    "--curve",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Simulate a day of your own: a CSV file with the columns hour and factor (of --rate).",
)
@click.option("--seed", type=COUNT, default=1, show_default=True, metavar="N", help="Seed of all random numbers.")
@COSTS
@click.option("--out", metavar="DIR", help="Also draw charts, into this folder.")
@click.option(
    "--check", type=FOLDER, metavar="DIR", help="Compare the simulation with the runs in this folder instead."
)
@json_option("the answer as JSON")
def simulate(
    *,
    architectures: tuple[str, ...],
    day: bool,
    curve: Path | None,
    costs: Path | None,
    out: str | None,
    check: Path | None,
    as_json: bool,
    **planned: Any,
) -> None:
    """Simulate a fleet of gateways, Kafka and Redis under a chat: CPU, queues and latency over time.

    \b
    Examples:
      chatbench simulate --arch redis --arch plan2 --rooms 1 --members-per-room 1m --rate 200
      chatbench simulate --rooms 1k --members-per-room 1k --rate 500 --day --out results/day
      chatbench simulate --rooms 10k --members-per-room 50 --rate 1k --hot-room 0.2
      chatbench simulate --check results/reference/capacity

    Nothing is run: service times come from the cost model, and latency at low load from measured runs.
    """
    from harness.core.errors import UsageError
    from harness.core.settings import make_out_dir
    from harness.experiments.costs.study import read_knowledge
    from harness.experiments.simulation import check as checking
    from harness.experiments.simulation import study
    from harness.experiments.simulation.day import day_with_a_goal, read_curve
    from harness.experiments.simulation.plan import FleetPlan, checked
    from harness.report.simulation import check_table, over_lines, simulation_note, simulation_tables
    from harness.report.simulation_charts import fleet_charts
    from harness.report.style import save
    from harness.results.frames import read_records

    if check is not None:
        model = read_knowledge(costs).model
        compared = checking.summed_up(checking.validated(read_records([check]), model))
        if as_json:
            print_json(compared)
        else:
            console().print(check_table(compared))
        return
    for option, name in (("--rooms", "rooms"), ("--members-per-room", "members_per_room"), ("--rate", "rate_per_s")):
        if planned[name] is None:
            raise UsageError(f"{option} is missing; give the size of the chat, or --check DIR to compare with runs")
    if day and curve is not None:
        raise UsageError("--day and --curve are two curves of a day; use one of them")
    plan = checked(FleetPlan(**planned))
    moments = read_curve(curve) if curve is not None else day_with_a_goal() if day else []
    model = read_knowledge(costs).model
    simulated = study.simulate(plan, list(dict.fromkeys(architectures)) or model.architectures, model, moments)
    charts = [save(figure, make_out_dir(out), name) for name, figure in fleet_charts(simulated)] if out else []
    if as_json:
        print_json(simulated)
        return
    answer = console()
    for table in simulation_tables(simulated):
        answer.print(table)
        answer.print()
    tell(answer, *over_lines(simulated), simulation_note(simulated))
    say(answer, *(f"chart: {path}" for path in charts))
