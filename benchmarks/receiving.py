"""What it costs to hear: chatbench's audience against two WebSocket clients that only count what they get.

    python -m benchmarks.receiving
    python -m benchmarks.receiving --members 500 --rate 200 --seconds 5 --rounds 2

One room; a relay process sends each message to every member, as frames encoded once. It writes each message at once, or
what came within a tick together, as a gateway does that is busy. The audience decodes, keeps latency histograms
and the history that the ledger judges; the other two note a time stamp and do nothing else, which favours them.
All take turns within one run; the CPU time is the receiving process's own.
"""

from __future__ import annotations

import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import click
import psutil
from rich.console import Console
from rich.table import Table

from harness.load import messages as msg
from harness.load.channel import spawn_peer
from harness.load.history import message_id
from harness.load.ledger import judge
from harness.measure.histogram import Latencies
from harness.services.ports import free_ports

ROOM = "stage"
PAYLOAD = "x" * 40
Kind = TypeVar("Kind")
OTHERS = ("websockets_asyncio", "websocket_client_gevent")


@contextmanager
def running_relay(tick_s: float) -> Iterator[str]:
    (port,) = free_ports(1)
    with subprocess.Popen([sys.executable, "-m", "benchmarks.relay", str(port), str(tick_s)]) as process:
        try:
            for _ in range(200):
                with socket.socket() as probe:
                    if probe.connect_ex(("127.0.0.1", port)) == 0:
                        break
                time.sleep(0.05)
            yield f"ws://127.0.0.1:{port}"
        finally:
            process.terminate()


# --- the receivers


@dataclass(frozen=True, slots=True)
class Load:
    url: str
    logs: Path
    members: int
    rate_per_s: float
    seconds: float

    @property
    def messages(self) -> int:
        return round(self.rate_per_s * self.seconds)


class Audience:
    """chatbench's own, with all its members in the room."""

    def __init__(self, load: Load, name: str, members: int) -> None:
        self.child, self.channel = spawn_peer(
            name, "harness.load.audience", load.logs / f"{name}.log", msg.FromAudience
        )
        began = time.monotonic()
        for number in range(members):
            self.channel.send(msg.Enter(member=number, url=load.url, room=ROOM))
        for _ in range(members):
            self.expect(msg.Entered)
        self.connected_s = time.monotonic() - began

    def expect(self, kind: type[Kind]) -> Kind:
        while True:
            news = self.channel.receive(60)
            if isinstance(news, kind):
                return news
            assert not isinstance(news, msg.MemberFailed), news

    def say(self, load: Load) -> None:
        """An even load, from member 0."""
        start_ns = time.time_ns()
        self.channel.send(msg.BeginPhase(name="measure", start_ns=start_ns, end_ns=1 << 62))
        for sequence in range(load.messages):
            due_ns = start_ns + round(sequence / load.rate_per_s * 1e9)
            time.sleep(max(0, due_ns - time.time_ns()) / 1e9)
            identity = message_id(0, sequence)
            self.channel.send(msg.Speak(message_id=identity, room=ROOM, intended_ns=due_ns, text=PAYLOAD))
        time.sleep(0.5)

    def close(self) -> None:
        self.channel.close()
        self.child.stop()


def audience_cost(load: Load) -> float:
    audience = Audience(load, "audience", load.members)
    try:
        before = _cpu_s(audience.child.pid)
        audience.say(load)
        audience.channel.send(msg.ClosePhase())
        report = audience.expect(msg.PhaseReport)
        used_s = _cpu_s(audience.child.pid) - before
        verdict = judge(report.rooms).verdict
        count = Latencies.unpack(report.latency).count
        if not verdict.expected == verdict.delivered == count > 0:
            sys.exit(f"the audience did not record everything: {verdict}, {count} latencies")
        return 1e6 * used_s / count
    finally:
        audience.close()


def other_cost(client: str, load: Load) -> float:
    """Of a client in a process of its own, which says when it has connected, and how much it heard when asked."""
    speaker = Audience(load, "speaker", 1)
    argv = [sys.executable, "-m", f"benchmarks.{client}", load.url, str(load.members)]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdout.readline()
            before = _cpu_s(process.pid)
            speaker.say(load)
            process.stdin.write("count\n")
            process.stdin.flush()
            heard = int(process.stdout.readline())
            used_s = _cpu_s(process.pid) - before
        finally:
            process.kill()
            speaker.close()
    return 1e6 * used_s / heard


def _cpu_s(pid: int) -> float:
    times = psutil.Process(pid).cpu_times()
    return times.user + times.system


# --- the command


@click.command()
@click.option("--members", default=500, show_default=True)
@click.option("--rate", "rate_per_s", default=200.0, show_default=True, help="Messages per second in the one room.")
@click.option("--seconds", default=5.0, show_default=True)
@click.option("--rounds", default=2, show_default=True)
def main(members: int, rate_per_s: float, seconds: float, rounds: int) -> None:
    """Print CPU microseconds per delivery of each receiver, and how many times the audience's that is."""
    table = Table(title=f"{members} members, {rate_per_s:g} messages/s in one room, {rounds} rounds of {seconds:g} s")
    table.add_column("the relay writes")
    table.add_column("receiver")
    for column in ("CPU us per delivery", "times the audience"):
        table.add_column(column, justify="right")
    with tempfile.TemporaryDirectory() as folder:
        for tick_s, what in ((0.02, "once per 20 ms"), (0.0, "each message at once")):
            costs: dict[str, list[float]] = {"audience": [], **{client: [] for client in OTHERS}}
            for _ in range(rounds):
                for receiver, measured in costs.items():
                    with running_relay(tick_s) as url:
                        load = Load(url, Path(folder), members, rate_per_s, seconds)
                        measured.append(audience_cost(load) if receiver == "audience" else other_cost(receiver, load))
            ours = _mean(costs["audience"])
            for receiver, measured in costs.items():
                table.add_row(
                    what,
                    receiver.replace("_", " "),
                    f"{_mean(measured):.2f}",
                    f"{_mean(measured) / ours:.1f}",
                )
            table.add_section()
    Console(width=110).print(table)


def _mean(costs: list[float]) -> float:
    return sum(costs) / len(costs)


if __name__ == "__main__":
    main()
