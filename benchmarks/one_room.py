"""The job that the benchmarks share: one room in which member 0 speaks at an even rate and an audience hears it."""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TypeVar

import psutil

from architectures.interface import Services, Topology
from harness.ipc import messages as msg
from harness.ipc.channel import spawn_peer
from harness.ledger.judge import judge
from harness.ledger.reports import message_id
from harness.measure.histogram import Latencies
from harness.measure.resources import cpu_s_of, has_clock
from harness.services.fleet import Fleet, FleetOptions

ROOM = "stage"
PAYLOAD = "x" * 40  # makes frames of 124 bytes
Kind = TypeVar("Kind")


@dataclass(frozen=True, slots=True)
class Job:
    members: int
    rate_per_s: float
    seconds: float

    def __str__(self) -> str:
        return f"{self.members} members, {self.rate_per_s:g} messages/s in one room"


@contextmanager
def gateway(tick_s: float | None) -> Iterator[tuple[str, int]]:
    """Start chatbench's own gateway, without a backend, and yield its URL and process id."""
    with tempfile.TemporaryDirectory() as logs:
        topology = Topology(run_id="benchmark", gateways=1)
        fleet = Fleet("direct", Services(), topology, Path(logs), FleetOptions(tick_s=tick_s))
        fleet.start()
        try:
            fleet.wait_ready()
            yield fleet.urls[0], fleet.children[0].pid
        finally:
            fleet.stop()


class Audience:
    """Chatbench's own audience process, with `members` members in the room."""

    def __init__(self, url: str, members: int) -> None:
        self._logs = tempfile.TemporaryDirectory()
        self._child, self._channel = spawn_peer(
            "audience", "harness.audience.engine", Path(self._logs.name) / "audience.log", msg.FromAudience
        )
        for number in range(members):
            self._channel.send(msg.Enter(member=number, url=url, room=ROOM))
        for _ in range(members):
            self._expect(msg.Entered)

    @property
    def pid(self) -> int:
        return self._child.pid

    def _expect(self, kind: type[Kind]) -> Kind:
        while True:
            news = self._channel.receive(60)
            if isinstance(news, kind):
                return news
            assert not isinstance(news, msg.MemberFailed), news

    def say(self, job: Job) -> None:
        """Send the job's messages at an even rate, and wait for the last deliveries."""
        start_ns = time.time_ns()
        self._channel.send(msg.BeginPhase(name="measure", start_ns=start_ns, end_ns=1 << 62))
        for sequence in range(round(job.rate_per_s * job.seconds)):
            due_ns = start_ns + round(sequence / job.rate_per_s * 1e9)
            time.sleep(max(0, due_ns - time.time_ns()) / 1e9)
            identity = message_id(0, sequence)
            self._channel.send(msg.Speak(message_id=identity, room=ROOM, intended_ns=due_ns, text=PAYLOAD))
        time.sleep(1.5)

    def latencies(self) -> Latencies:
        """Return the latencies of the messages since the last call. Exit if any delivery is missing."""
        self._channel.send(msg.ClosePhase())
        report = self._expect(msg.PhaseReport)
        verdict, latencies = judge(report.rooms).verdict, Latencies.unpack(report.latency)
        if not verdict.expected == verdict.delivered == latencies.count > 0:
            sys.exit(f"not everything arrived: {verdict}, {latencies.count} latencies")
        return latencies

    def __enter__(self) -> Audience:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _problem: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._channel.close()
        self._child.stop()
        self._logs.cleanup()


def cpu_s(pid: int) -> float:
    """Return the CPU time, user and system, that a process has used so far, in seconds."""
    return cpu_s_of(psutil.Process(pid), by_clock=has_clock(pid))


def mean(figures: Sequence[float]) -> float:
    return sum(figures) / len(figures)
