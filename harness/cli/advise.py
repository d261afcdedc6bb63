"""`chatbench advise`: which architecture suits a chat of given sizes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from harness.cli.chat_size import COSTS, PAYLOAD
from harness.cli.console import console, json_option, print_json, tell
from harness.cli.help import command
from harness.cli.prices import prices_options
from harness.cli.traffic_log import log_options, read_log, sizes
from harness.cli.types import COUNT, FOLDER, NUMBER
from harness.experiments.costs.gateway_size import GATEWAY_CORES_MAX, MEMBERS_PER_GATEWAY_MAX


@command()
@click.option("--rooms", type=COUNT, metavar="N", help="Number of rooms.")
@click.option("--members-per-room", type=NUMBER, metavar="N", help="Average number of members in a room.")
@click.option("--rate", "rate_per_s", type=NUMBER, metavar="N", help="Messages per second, summed over all rooms.")
@PAYLOAD
@log_options
@click.option("--durable", is_flag=True, help="Require that acked messages survive a restart of the backend.")
@click.option("--replay", is_flag=True, help="Require that members can read earlier messages later.")
@click.option(
    "--replicas",
    type=COUNT,
    metavar="N",
    help="Number of brokers that keep each record, 1 or 3.  [default: 3 with --durable, else 1]",
)
@click.option(
    "--members-per-gateway",
    type=COUNT,
    default=MEMBERS_PER_GATEWAY_MAX,
    show_default=True,
    metavar="N",
    help="The most members that one gateway may hold.",
)
@click.option(
    "--cores-per-gateway",
    type=NUMBER,
    default=GATEWAY_CORES_MAX,
    show_default=True,
    metavar="N",
    help="The most cores that one gateway may use.",
)
@click.option("--extrapolate", is_flag=True, help="Recommend also for sizes beyond ten times those that were measured.")
@COSTS
@click.option(
    "--claims",
    type=FOLDER,
    metavar="DIR",
    help="Folder written by `chatbench claims`.  [default: measured runs that chatbench ships]",
)
@prices_options
@json_option("the answer as JSON")
def advise(
    *,
    costs: Path | None,
    claims: Path | None,
    log: Path | None,
    columns: tuple[str, ...],
    prices: Path | None,
    as_json: bool,
    **wished: Any,
) -> None:
    """Say which architecture suits a chat of these sizes, what each would cost, and what would change the answer.

    \b
    Examples:
      chatbench advise --rooms 1 --members-per-room 100k --rate 50
      chatbench advise --rooms 200k --members-per-room 5 --rate 20k --durable
      chatbench advise --rooms 1k --members-per-room 200 --rate 2k --replay --json
      chatbench advise --rooms 100 --members-per-room 100 --rate 100 --members-per-gateway 50k --cores-per-gateway 0.8
      chatbench advise --from chat.csv --column time=ts --prices prices.toml

    The answer is computed from measured runs: the reference runs that chatbench ships, or your own.
    """
    import msgspec

    from harness.experiments.costs import advice
    from harness.experiments.costs.prices import money, read_prices
    from harness.experiments.costs.study import read_knowledge
    from harness.report.advice import advice_table, latency_notes
    from harness.report.advice_text import advice_lines
    from harness.report.prices import prices_lines, prices_table
    from harness.report.sensitivity import sensitivity_note, sensitivity_table
    from harness.report.trace import trace_lines

    own_prices = None if prices is None else read_prices(prices)
    trace = read_log(log, columns)
    wish = advice.checked(advice.Wish(**sizes(wished, trace)))
    knowledge = read_knowledge(costs, claims)
    advised = msgspec.structs.replace(advice.advise(wish, knowledge), trace=trace)
    if own_prices is not None:
        told = wish.extrapolate or not advised.too_far
        workloads = {cost.arch: wish.chat.on(cost.gateways) for cost in advised.costs}
        advised = msgspec.structs.replace(
            advised, money=money(knowledge.model, workloads, own_prices, advised.replicas, told=told)
        )
    if as_json:
        print_json(advised)
        return
    out = console()
    tell(out, *([] if trace is None else trace_lines(trace, wish)))
    tell(out, *advice_lines(advised))
    out.print(advice_table(advised))
    tell(out, *latency_notes(advised))
    out.print(sensitivity_table(advised.sensitivity))
    tell(out, *sensitivity_note(advised.sensitivity))
    if advised.money is not None:
        out.print(prices_table(advised.money, at_least=advised.cpu_at_least, band_only=advised.too_far))
        tell(out, *prices_lines(advised.money))
