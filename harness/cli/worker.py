"""`chatbench worker`: provide members for the runs of another host."""

from __future__ import annotations

import click

from harness.cli.help import command


@command()
@click.option("--master", required=True, metavar="HOST:PORT", help="Address given to the run as --master-bind.")
@click.option(
    "--scenario",
    "scenarios",
    multiple=True,
    metavar="NAME|PATH",
    help="Additional scenario, beside those that chatbench ships; repeat it for several.",
)
def worker(master: str, scenarios: tuple[str, ...]) -> None:
    """Hold members for runs on another host, one run after the other, until interrupted.

    The clocks of both hosts are compared, and the record says how large the resulting error of a latency can be.
    Locust's master has no authentication: use it only on a private network.

    \b
    Examples:
      chatbench worker --master 192.168.1.20:5557
      chatbench run --arch plan1 --expect-workers 2 --master-bind 192.168.1.20:5557
    """
    from harness.serve.worker import work_for

    work_for(master, scenarios, click.echo)
