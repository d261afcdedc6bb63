"""The cost of receiving: chatbench's audience against two WebSocket clients that only count messages.

    python -m benchmarks.receiving
    python -m benchmarks.receiving --members 500 --rate 200 --seconds 5 --rounds 2

There is one room, whose gateway sends each message to every member, at once or all messages of a tick together. The
audience decodes them and keeps latency histograms and the history that the ledger judges. The other two clients only
record a timestamp, which favours them. All take turns within one run, and the CPU time is the receiving process's own.
"""

from __future__ import annotations

import subprocess
import sys

import click
from rich.console import Console
from rich.table import Table

from benchmarks.one_room import Audience, Job, cpu_s, gateway, mean

OTHERS = ("websockets_asyncio", "websocket_client_gevent")


def audience_cost_us(url: str, job: Job) -> float:
    with Audience(url, job.members) as audience:
        before = cpu_s(audience.pid)
        audience.say(job)
        latencies = audience.latencies()
        return 1e6 * (cpu_s(audience.pid) - before) / latencies.count


def other_cost_us(client: str, url: str, job: Job) -> float:
    """Return CPU us per delivery of another client, in a process that prints when it is connected and what it heard."""
    argv = [sys.executable, "-m", f"benchmarks.{client}", url, str(job.members)]
    with (
        Audience(url, 1) as speaker,
        subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process,
    ):
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdout.readline()
            before = cpu_s(process.pid)
            speaker.say(job)
            process.stdin.write("count\n")
            process.stdin.flush()
            heard = int(process.stdout.readline())
            return 1e6 * (cpu_s(process.pid) - before) / heard
        finally:
            process.kill()


@click.command()
@click.option("--members", default=500, show_default=True)
@click.option("--rate", "rate_per_s", default=200.0, show_default=True, help="Messages per second in the one room.")
@click.option("--seconds", default=5.0, show_default=True)
@click.option("--rounds", default=2, show_default=True)
def main(members: int, rate_per_s: float, seconds: float, rounds: int) -> None:
    """Print each receiver's CPU microseconds per delivery, and its ratio to the audience's."""
    job = Job(members, rate_per_s, seconds)
    table = Table(title=f"{job}, {rounds} rounds of {seconds:g} s")
    table.add_column("the gateway writes")
    table.add_column("receiver")
    for column in ("CPU us per delivery", "ratio to audience"):
        table.add_column(column, justify="right")
    for tick_s, what in ((0.02, "once per 20 ms"), (0.0, "each message at once")):
        costs: dict[str, list[float]] = {"audience": [], **{client: [] for client in OTHERS}}
        for _ in range(rounds):
            for receiver, measured in costs.items():
                with gateway(tick_s) as (url, _pid):
                    if receiver == "audience":
                        measured.append(audience_cost_us(url, job))
                    else:
                        measured.append(other_cost_us(receiver, url, job))
        ours = mean(costs["audience"])
        for receiver, measured in costs.items():
            cost = mean(measured)
            table.add_row(what, receiver.replace("_", " "), f"{cost:.2f}", f"{cost / ours:.1f}")
        table.add_section()
    Console(width=110).print(table)


if __name__ == "__main__":
    main()
