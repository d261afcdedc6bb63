"""`chatbench advise`: which architecture suits a chat of given sizes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from harness.cli.console import console, json_option, print_json, tell
from harness.cli.help import command
from harness.cli.types import COUNT, FOLDER, NUMBER, SIZE


@command()
@click.option("--rooms", type=COUNT, required=True, metavar="N", help="Number of rooms.")
@click.option(
    "--members-per-room", type=NUMBER, required=True, metavar="N", help="Average number of members in a room."
)
@click.option(
    "--rate", "rate_per_s", type=NUMBER, required=True, metavar="N", help="Messages per second, summed over all rooms."
)
@click.option(
    "--payload",
    "payload_bytes",
    type=SIZE,
    default=100,
    show_default=True,
    metavar="SIZE",
    help="Size of a message's text.",
)
@click.option("--durable", is_flag=True, help="Require that acked messages survive a restart of the backend.")
@click.option("--replay", is_flag=True, help="Require that members can read earlier messages later.")
@click.option(
    "--costs",
    type=FOLDER,
    metavar="DIR",
    help="Folder written by `chatbench costs`.  [default: measured runs that chatbench ships]",
)
@click.option(
    "--claims",
    type=FOLDER,
    metavar="DIR",
    help="Folder written by `chatbench claims`.  [default: measured runs that chatbench ships]",
)
@json_option("the answer as JSON")
def advise(costs: Path | None, claims: Path | None, as_json: bool, **wished: Any) -> None:
    """Say which architecture suits a chat of these sizes, what each would cost, and what would change the answer.

    \b
    Examples:
      chatbench advise --rooms 1 --members-per-room 100k --rate 50
      chatbench advise --rooms 200k --members-per-room 5 --rate 20k --durable
      chatbench advise --rooms 1k --members-per-room 200 --rate 2k --replay --json

    The answer is computed from measured runs: the reference runs that chatbench ships, or your own.
    """
    from harness.experiments.costs import advice
    from harness.experiments.costs.study import read_knowledge
    from harness.report.advice import LATENCY_NOTE, advice_lines, advice_table

    wish = advice.checked(advice.Wish(**wished))
    advised = advice.advise(wish, read_knowledge(costs, claims))
    if as_json:
        print_json(advised)
        return
    out = console()
    tell(out, *advice_lines(advised))
    out.print(advice_table(advised))
    tell(out, LATENCY_NOTE)
