"""`chatbench worker`: hold members for the runs of another host."""

from __future__ import annotations

import click

from harness.cli.help import command


@command()
@click.option("--master", required=True, metavar="HOST:PORT", help="The --master-bind of the run.")
@click.option("--scenario", "scenarios", multiple=True, metavar="NAME|PATH", help="Beside those of chatbench.")
def worker(master: str, scenarios: tuple[str, ...]) -> None:
    """Hold members for runs on another host, one run after the other, until interrupted.

    The clocks of both hosts are compared, and how wrong a latency can be for it is in the record. Locust's master asks
    nobody who he is: use it in a network of your own.

    \b
    Examples:
      chatbench worker --master 192.168.1.20:5557
      chatbench run --arch plan1 --expect-workers 2 --master-bind 192.168.1.20:5557
    """
    from harness.serve.worker import work_for

    work_for(master, scenarios, click.echo)
