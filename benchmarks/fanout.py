"""The cost of a fan-out: chatbench's gateway against node's `ws`, `websockets.broadcast`, and bare writes.

    python -m benchmarks.fanout
    python -m benchmarks.fanout --members 500 --rate 200 --seconds 5 --rounds 3

Each has the same job: one member speaks and all members hear it, each over a WebSocket of an audience that checks that
nothing is missing. Chatbench's gateway also has sessions, limits and counters; the others only relay, which favours
them. Bare writes are the floor: one write of the same bytes per member, and nothing else. All take turns within one
run, and the CPU time is the relaying process's own.
"""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from benchmarks.one_room import Audience, Job, cpu_s, gateway, mean
from harness.services.ports import free_ports

NODE_WS = Path(__file__).parent / "node_ws"
Relay = Callable[[], AbstractContextManager[tuple[str, int]]]


@contextmanager
def process(argv: Sequence[str]) -> Iterator[tuple[str, int]]:
    """Start another relay, with a port as the last argument, and yield its URL and process id."""
    (port,) = free_ports(1)
    with subprocess.Popen([*argv, str(port)]) as relay:
        try:
            deadline = time.monotonic() + 10
            with socket.socket() as probe:
                while probe.connect_ex(("127.0.0.1", port)) != 0:
                    assert time.monotonic() < deadline, f"{argv} does not listen"
                    time.sleep(0.05)
            yield f"ws://127.0.0.1:{port}", relay.pid
        finally:
            relay.terminate()


@contextmanager
def installed_node_ws() -> Iterator[list[str] | None]:
    """Install a relay on node's `ws` temporarily and yield its command; if that fails, print why and yield None."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        print("node ws is left out: node or npm is not on the PATH")
        yield None
        return
    with tempfile.TemporaryDirectory() as folder:
        for each in NODE_WS.iterdir():
            shutil.copy(each, folder)
        installing = [npm, "install", "--silent", "--no-audit", "--no-fund", "--prefix", folder]
        if subprocess.run(installing, check=False).returncode != 0:
            print("node ws is left out: npm could not install it")
            yield None
        else:
            yield [node, f"{folder}/relay.js"]


def measure(relay: Relay, job: Job) -> tuple[float, float | None]:
    """Return (CPU us per delivery of the relay, median latency in ms)."""
    with relay() as (url, pid), Audience(url, job.members) as audience:
        before = cpu_s(pid)
        audience.say(job)
        used_s = cpu_s(pid) - before
        latencies = audience.latencies()
        return 1e6 * used_s / latencies.count, latencies.summary().p50


@click.command()
@click.option("--members", default=500, show_default=True)
@click.option("--rate", "rate_per_s", default=200.0, show_default=True, help="Messages per second in the one room.")
@click.option("--seconds", default=5.0, show_default=True)
@click.option("--rounds", default=3, show_default=True)
@click.option("--ticks", default="0,5,20,50", show_default=True, help="Ticks of chatbench's gateway, in ms.")
def main(members: int, rate_per_s: float, seconds: float, rounds: int, ticks: str) -> None:
    """Print each relay's CPU microseconds per delivery, its ratios to the other libraries, and its median latency."""
    job = Job(members, rate_per_s, seconds)
    with installed_node_ws() as node:
        relays: dict[str, Relay] = {} if node is None else {"node ws": partial(process, node)}
        relays["websockets.broadcast"] = partial(process, [sys.executable, "-m", "benchmarks.websockets_broadcast"])
        for tick_ms in map(float, ticks.split(",")):
            bare = [sys.executable, "-m", "benchmarks.bare_writes", str(tick_ms / 1000)]
            relays[f"bare writes, tick {tick_ms:g} ms"] = partial(process, bare)
            relays[f"chatbench, tick {tick_ms:g} ms"] = partial(gateway, tick_ms / 1000)
        relays["chatbench, adaptive"] = partial(gateway, None)
        measured: dict[str, list[tuple[float, float | None]]] = {name: [] for name in relays}
        for _ in range(rounds):
            for name, relay in relays.items():
                measured[name].append(measure(relay, job))
    table = Table(title=f"{job}, {rounds} rounds of {seconds:g} s")
    table.add_column("gateway")
    ratios = ("ratio to node ws", "ratio to websockets.broadcast")
    for column in ("CPU us per delivery", *ratios, "median latency, ms"):
        table.add_column(column, justify="right")
    costs = {name: mean([cost for cost, _latency in rounds_of]) for name, rounds_of in measured.items()}
    for name, cost in costs.items():
        to_node = f"{cost / costs['node ws']:.2f}" if "node ws" in costs else "not measured"
        to_broadcast = f"{cost / costs['websockets.broadcast']:.2f}"
        latency_ms = mean([latency for _cost, latency in measured[name] if latency is not None])
        table.add_row(name, f"{cost:.2f}", to_node, to_broadcast, f"{latency_ms:.1f}")
    Console(width=110).print(table)


if __name__ == "__main__":
    main()
