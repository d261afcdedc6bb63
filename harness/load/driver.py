"""The driver process: Locust as a library, under the orders of chatbench.

With one process it is Locust's local runner; with more, its master, and the workers are its children.
Importing locust patches the process with gevent; it must come first, and asyncio stays out of this process.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gevent
import msgspec
from gevent.event import Event

from harness.errors import ServiceFailed, where
from harness.load import messages as msg
from harness.load.channel import Channel, ChannelClosed
from harness.load.coordinator import Coordinator
from harness.load.crowd import serve_coordinator
from harness.load.driver_settings import DriverSettings
from harness.load.scenario import BrokenScenario, chosen_options, load_scenario
from harness.load.worker import member_environment
from harness.services.ports import free_ports
from harness.services.supervise import Child, spawn

SPAWN_TIMEOUT_S = 90.0
WORKERS_TIMEOUT_S = 30.0
ENDING_TIMEOUT_S = 60.0


class Driver:
    """Obeys chatbench at the other end of the channel."""

    def __init__(self, settings: DriverSettings, channel: Channel[msg.ToCoordinator]) -> None:
        self._settings = settings
        self._channel = channel
        scenario = load_scenario(Path(settings.scenario))
        options = chosen_options(scenario.options, settings.options)
        rooms = settings.rooms or scenario.members[0].rooms_for(settings.members)
        self._load = msg.Load(
            members=settings.members,
            rooms=rooms,
            rate_per_s=settings.rate_per_s,
            payload_bytes=settings.payload_bytes,
            payload_sizes=settings.payload_sizes,
            seed=settings.seed,
            options=options,
        )
        self._environment = member_environment(scenario)
        self._broken = False
        self._phase_over = Event()
        self._workers: list[Child] = []
        if settings.processes == 1:
            self._environment.create_local_runner()
            serve_coordinator(self._environment, settings.scenario, Path(settings.logs) / "audience.log")
        else:
            self._start_workers()
        self._coordinator = Coordinator(self._environment, self._on_news)
        self._environment.events.test_stopping.add_listener(self._on_test_stopping)  # type: ignore[no-untyped-call]  # Locust's

    def _start_workers(self) -> None:
        (port,) = free_ports(1)
        runner = self._environment.create_master_runner("127.0.0.1", port)
        for number in range(1, self._settings.processes + 1):
            argv = [sys.executable, "-m", "harness.load.worker", str(port), str(number)]
            log = Path(self._settings.logs) / f"worker-{number}.log"
            given = msgspec.json.encode(self._settings)
            self._workers.append(spawn(f"Locust worker {number}", argv, log, stdin=given))
        deadline = time.monotonic() + WORKERS_TIMEOUT_S
        while len(runner.clients.ready) < self._settings.processes:
            for worker in self._workers:
                worker.check()
            if time.monotonic() > deadline:
                raise ServiceFailed(f"not all Locust workers were there within {WORKERS_TIMEOUT_S:g} s")
            gevent.sleep(0.02)

    def obey(self) -> None:
        """Act on chatbench's messages until it closes the channel."""
        self._channel.send(msg.Ready(rooms=self._load.rooms))
        while (order := self._channel.receive()) is not None:
            match order:
                case msg.Spawn():
                    self._in_background(self._spawn_members, order.urls)
                case msg.Probe():
                    self._in_background(self._probe, order)
                case msg.BeginPhase():
                    self._coordinator.begin(order)
                    self._phase_over.clear()
                    self._in_background(self._finish_phase)
                case msg.EndPhase():
                    self._coordinator.end_now()

    def _in_background(self, work: Callable[..., None], *arguments: Any) -> None:
        def run() -> None:
            try:
                work(*arguments)
            except Exception as problem:  # noqa: BLE001 - whatever it is, chatbench must not wait for an answer
                traceback.print_exc()
                self._channel.send(msg.Failed(problem=f"the driver failed: {where(problem)}"))

        gevent.spawn(run)

    def _spawn_members(self, urls: list[str]) -> None:
        coordinator, runner = self._coordinator, self._environment.runner
        assert runner is not None
        pids = coordinator.assemble(self._load, urls)
        if self._settings.processes > 1:
            pids["locust master"] = os.getpid()
        if self._environment.shape_class is None:
            gevent.spawn(runner.start, self._load.members, spawn_rate=self._load.members)
        else:
            runner.start_shape()
        deadline = time.monotonic() + SPAWN_TIMEOUT_S
        while not self._all_joined() and not coordinator.failures and not self._broken:
            if time.monotonic() > deadline:
                coordinator.failures.append(f"not all had joined within {SPAWN_TIMEOUT_S:g} s")
            self._channel.send(msg.Spawned(joined=coordinator.joined))
            gevent.sleep(0.1)
        problem = coordinator.failures[0] if coordinator.failures else None
        self._channel.send(msg.Spawned(joined=coordinator.joined, problem=problem, complete=True, pids=pids))

    def _all_joined(self) -> bool:
        shape, runner = self._environment.shape_class, self._environment.runner
        if shape is None or runner is None:
            return self._coordinator.joined >= self._load.members
        shape.reset_time()  # type: ignore[no-untyped-call]  # Locust's; its time begins with the load
        return runner.shape_last_tick is not None and self._coordinator.joined >= runner.shape_last_tick[0]

    def _probe(self, order: msg.Probe) -> None:
        self._channel.send(msg.Probed(problem=self._coordinator.probe(order)))

    def _finish_phase(self) -> None:
        result = self._coordinator.result()
        self._phase_over.set()
        self._channel.send(result)

    def _on_test_stopping(self, **_: Any) -> None:
        """The scenario's shape has come to its end: so does the phase, while its members are still there."""
        self._channel.send(msg.Ending())
        self._coordinator.end_now()
        self._phase_over.wait(ENDING_TIMEOUT_S)

    def _on_news(self, news: msg.FromCoordinator | msg.MemberFailed) -> None:
        match news:
            case msg.Broken():
                if not self._broken:
                    self._broken = True
                    self._channel.send(news)
            case msg.Second() | msg.Failed():
                self._channel.send(news)


def main() -> None:
    """`python -m harness.load.driver FD`, settings as JSON on standard input."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # chatbench decides when it ends
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
    channel: Channel[msg.ToCoordinator] = Channel(socket.socket(fileno=int(sys.argv[1])), msg.ToCoordinator)
    settings = msgspec.json.decode(sys.stdin.buffer.read(), type=DriverSettings)
    try:
        Driver(settings, channel).obey()
    except ServiceFailed as problem:
        channel.send(msg.Failed(problem=str(problem)))
    except BrokenScenario as problem:
        channel.send(msg.Broken(problem=str(problem)))
    except ChannelClosed:
        pass  # chatbench is done with us, or gone


if __name__ == "__main__":
    main()
