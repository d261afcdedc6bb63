"""The audience: one process that holds the sockets of all members of one Locust process.

It runs on asyncio, separate from Locust and gevent. It carries out the driver's orders and reports what members said
and heard.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import sys
import time
from collections.abc import Coroutine
from typing import Any, Protocol

import uvloop

from harness.audience.deliveries import Deliveries
from harness.audience.member_socket import Connect
from harness.audience.membership import Membership
from harness.audience.phase_stats import Phase
from harness.audience.probe import RunningProbe
from harness.audience.socketio import connection_to
from harness.core.gc_tuning import collect_seldom
from harness.core.outermost import run_child
from harness.core.short_slices import ask_for_short_slices
from harness.ipc import messages as msg
from harness.ipc.coordinator_clock import follow, time_ns
from harness.ledger.reports import sender_of
from harness.measure.clock_step import ClockWatch
from harness.measure.validity import lag_over_time

FLUSH_S = 0.1
PROGRESS_S = 0.05
LAG_PROBE_NS = 20_000_000
PROBE_ROUND_S = 0.25


class Writer(Protocol):
    """What the audience needs of the stream to the driver."""

    def write(self, data: bytes) -> None: ...


class Audience:
    """All members of one Locust process: carries out orders and reports each phase."""

    def __init__(self, writer: Writer, connect: Connect = connection_to) -> None:
        self._writer = writer
        self._deliveries = Deliveries()
        self._membership = Membership(self._deliveries, self._tell, self._spawn, connect)
        self._tasks: set[asyncio.Task[None]] = set()

    def _tell(self, message: msg.FromAudience) -> None:
        self._writer.write(msg.pack(message))

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (problem := task.exception()) is not None:
            # A bug in the audience: exit, so that the driver and the run fail and give the reason.
            asyncio.get_running_loop().call_exception_handler({"message": "audience failed", "exception": problem})
            sys.exit(f"{type(problem).__name__}: {problem}")

    # --- what the driver asks for

    async def serve(self, reader: asyncio.StreamReader) -> None:
        """Carry out the driver's orders until it closes the channel."""
        incoming: msg.Unpacker[msg.ToAudience] = msg.Unpacker(msg.ToAudience)
        while data := await reader.read(1 << 18):
            incoming.feed(data)
            while (order := incoming.take()) is not None:
                self.obey(order)
        self._membership.stopping = True

    def obey(self, order: msg.ToAudience) -> None:
        """Carry out one order, in a background task if it takes time."""
        match order:
            case msg.Speak():
                member = self._membership.where(sender_of(order.message_id), order.room)
                self._deliveries.say(member, order)
            case msg.FollowClock():
                follow(order.ahead_ns)
            case msg.Gateways():
                self._membership.urls = order.urls
            case msg.Enter():
                self._spawn(self._membership.enter(order))
            case msg.Exit():
                self._membership.exit(order)
            case msg.HangUp():
                self._membership.hang_up(order.member)
            case msg.SlowDown():
                self._spawn(self._membership.slow_down(order))
            case msg.Probe():
                self._spawn(self._run_probe(order))
            case msg.BeginPhase():
                self._deliveries.phase = Phase(order)
                self._membership.begin_phase()
            case msg.EndPhase():
                self._spawn(self._tell_progress())
            case msg.Collect():
                self._collect()
            case msg.ClosePhase():
                self._close_phase()

    # --- phases

    async def _tell_progress(self) -> None:
        """Report how much has been heard, until the coordinator closes the phase."""
        while (phase := self._deliveries.phase) is not None:
            self._tell(phase.progress())
            del phase  # so that a phase closed during the sleep is freed at once
            await asyncio.sleep(PROGRESS_S)

    def _collect(self) -> None:
        phase = self._deliveries.phase
        if phase is not None:
            phase.flush()
            self._tell(msg.Histories(rooms=phase.history.report(), unanswered=phase.unanswered))

    def _close_phase(self) -> None:
        phase = self._deliveries.end_phase()
        if phase is None:
            return
        phase.flush()
        self._tell(phase.close_second(phase.second + 1))
        report = phase.report(self._membership.away)
        # Free the phase before the report, because the next phase begins soon after it: a long one takes half a second.
        del phase
        self._membership.end_phase()
        collect_seldom()
        self._tell(report)

    async def flush_regularly(self) -> None:
        """Move raw latencies into histograms in batches, and report each second to the driver."""
        while True:
            await asyncio.sleep(FLUSH_S)
            self._flush()

    def _flush(self) -> None:
        phase = self._deliveries.phase
        if phase is None:
            return
        phase.flush()
        second = max(0, (time_ns() - phase.start_ns) // 1_000_000_000)
        if second > phase.second:
            self._tell(phase.close_second(second))

    async def watch_loop_lag(self) -> None:
        """Measure the event loop's lag with a timer that does nothing else, and whether the clock steps."""
        clock = ClockWatch()
        while True:
            due = time.monotonic_ns() + LAG_PROBE_NS
            await asyncio.sleep(LAG_PROBE_NS / 1e9)
            lag_ns, stepped_ns = max(0, time.monotonic_ns() - due), clock.stepped_ns()
            if self._deliveries.phase is not None:
                self._deliveries.phase.new_lag_ns += lag_over_time(lag_ns, LAG_PROBE_NS)
                self._deliveries.phase.clock_stepped_ns += stepped_ns

    # --- probing

    async def _run_probe(self, request: msg.Probe) -> None:
        probe = self._deliveries.probe = RunningProbe(self._membership.sockets, fragments=request.fragments)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(request.timeout_s):
                while not probe.complete.is_set():
                    probe.say_round()
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(probe.complete.wait(), PROBE_ROUND_S)
                # Wait for the answers, so that no test message is counted by the brokers as part of the load.
                await probe.all_answered.wait()
        self._deliveries.probe = None
        collect_seldom()  # all members have joined, and no phase has begun
        self._tell(msg.Probed(problem=probe.problem()))


async def run_audience(connected: socket.socket) -> None:
    """Serve the driver at the other end of the socket until the driver closes it."""
    collect_seldom()
    reader, writer = await asyncio.open_connection(sock=connected)
    audience = Audience(writer)
    helpers = [asyncio.create_task(audience.flush_regularly()), asyncio.create_task(audience.watch_loop_lag())]
    serving = asyncio.create_task(audience.serve(reader))
    try:
        done, _ = await asyncio.wait([serving, *helpers], return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for helper in helpers:
            helper.cancel()


def main() -> None:
    """Run `python -m harness.audience.engine FD`, where FD is the descriptor of the socket to the driver."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the driver decides when this process ends
    ask_for_short_slices()
    uvloop.run(run_audience(socket.socket(fileno=int(sys.argv[1]))))


if __name__ == "__main__":
    run_child(main)
