"""The driver process: it runs Locust as a library and takes chatbench's orders.

With one process it is Locust's local runner. With more it is Locust's master, and the workers are its children.
Importing locust patches the process with gevent, so that import comes first, and this process does not use asyncio.
"""

from __future__ import annotations

import harness.load.precise_timers  # noqa: F401  # isort: skip - imported for its effect on gevent
import locust  # noqa: F401  # isort: skip - imported for its gevent patches

import logging
import signal
import socket
import sys
import time
from pathlib import Path

import gevent
import msgspec
from locust.env import Environment

from architectures.clients.address import HostPort
from harness.core.errors import ServiceFailed, UsageError
from harness.core.outermost import run_child
from harness.core.short_slices import ask_for_short_slices
from harness.core.token import TOKEN_VARIABLE
from harness.ipc import messages as msg
from harness.ipc.channel import Channel, ChannelClosed
from harness.ipc.driver_settings import DriverSettings, WorkerSettings
from harness.load.member_pool import serve_coordinator
from harness.load.mistakes import mistake_text, scenario_of
from harness.load.scenario import BrokenScenario, Scenario, load_scenarios
from harness.load.test_controller import TestController
from harness.load.web_ui import WebDriver
from harness.load.worker import member_environment
from harness.services.ports import cannot_listen, free_ports
from harness.services.processes import spawn

WORKERS_TIMEOUT_S = 30.0
EXPECTED_TIMEOUT_S = 300.0


def start_runner(settings: DriverSettings, scenarios: list[Scenario]) -> Environment:
    """Return an Environment for these scenarios, with a runner and, for more than one process, its workers."""
    environment = member_environment(scenarios)
    if settings.run.expect_workers:
        await_workers(environment, settings.run.expect_workers, settings.master)
        return environment
    if settings.run.processes == 1:
        environment.create_local_runner()
        serve_coordinator(environment, Path(settings.logs) / "audience.log")
        return environment
    (port,) = free_ports(1)
    runner = environment.create_master_runner("127.0.0.1", port)
    workers = []
    for number in range(1, settings.run.processes + 1):
        worker_settings = WorkerSettings(
            master_host="127.0.0.1",
            master_port=port,
            scenarios=[str(scenario.path) for scenario in scenarios],
            audience_log=str(Path(settings.logs) / f"audience-{number}.log"),
        )
        argv = [sys.executable, "-m", "harness.load.worker"]
        log = Path(settings.logs) / f"worker-{number}.log"
        stdin = msgspec.json.encode(worker_settings)
        workers.append(spawn(f"Locust worker {number}", argv, log, stdin=stdin, secrets=[TOKEN_VARIABLE]))
    deadline = time.monotonic() + WORKERS_TIMEOUT_S
    while len(runner.clients.ready) < settings.run.processes:
        for worker in workers:
            worker.check()
        if time.monotonic() > deadline:
            raise ServiceFailed(f"not all Locust workers connected within {WORKERS_TIMEOUT_S:g} s")
        gevent.sleep(0.02)
    return environment


def await_workers(environment: Environment, count: int, master: HostPort) -> None:
    """Start a master and wait until `count` workers have joined it. Raises UsageError or ServiceFailed."""
    if (why := cannot_listen(master.port, master.host)) is not None:
        raise UsageError(f"--master-bind {master}: {why}")
    runner = environment.create_master_runner(master.host, master.port)
    deadline = time.monotonic() + EXPECTED_TIMEOUT_S
    while len(runner.clients.ready) < count:
        if time.monotonic() > deadline:
            raise ServiceFailed(
                f"{len(runner.clients.ready)} of {count} Locust workers joined within {EXPECTED_TIMEOUT_S:g} s"
            )
        gevent.sleep(0.1)


class Driver:
    """One test, which chatbench starts and ends."""

    def __init__(
        self,
        environment: Environment,
        scenario: Scenario,
        settings: DriverSettings,
        channel: Channel[msg.ToCoordinator],
    ) -> None:
        self._channel = channel
        rooms = settings.run.rooms or scenario.rooms_for(settings.run.members)
        self._load = msg.Load.of(settings.run, rooms, scenario.choose_options(settings.options))
        self._environment = environment
        scenario.choose_in(self._environment)
        self._test = TestController(self._environment, channel)

    def obey(self) -> None:
        """Carry out chatbench's orders until it closes the channel."""
        self._channel.send(msg.Ready(rooms=self._load.rooms))
        while (order := self._channel.receive()) is not None:
            if isinstance(order, msg.Spawn):
                self._test.in_background(self._spawn_members, order)
            else:
                self._test.obey(order)

    def _spawn_members(self, order: msg.Spawn) -> None:
        runner = self._environment.runner
        assert runner is not None
        self._test.coordinator.assemble(self._load, order.urls, order.frames_per_s)
        if self._environment.shape_class is None:
            self._test.in_background(runner.start, self._load.members, self._load.members)
        else:
            runner.start_shape()
        self._test.tell_joining(self._all_joined)

    def _all_joined(self) -> bool:
        shape, runner = self._environment.shape_class, self._environment.runner
        joined = self._test.coordinator.joined
        if shape is None or runner is None:
            return joined >= self._load.members
        shape.reset_time()  # type: ignore[no-untyped-call]  # Locust's; the shape's time starts with the load
        return runner.shape_last_tick is not None and joined >= runner.shape_last_tick[0]


def main() -> None:
    """Run `python -m harness.load.driver FD`, with DriverSettings as JSON on standard input."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # chatbench decides when this process ends
    ask_for_short_slices()
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
    channel: Channel[msg.ToCoordinator] = Channel(socket.socket(fileno=int(sys.argv[1])), msg.ToCoordinator)
    settings = msgspec.json.decode(sys.stdin.buffer.read(), type=DriverSettings)
    if settings.run.expect_workers:
        # When the channel closes, this process must live on to make the workers quit.
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        paths = [settings.scenario] if settings.web is None else settings.web.scenarios
        scenarios = load_scenarios(paths)
        environment = start_runner(settings, scenarios)
        try:
            if settings.web is None:
                Driver(environment, scenarios[0], settings, channel).obey()
            else:
                WebDriver(environment, scenarios, settings, channel).obey()
        except SystemExit as problem:  # raised by a member's code; gevent passes it to the main greenlet
            channel.send(msg.Broken(problem=mistake_text(problem, scenario_of(environment))))
        finally:
            if settings.run.expect_workers and environment.runner is not None:
                environment.runner.quit()
    except (BrokenScenario, UsageError) as problem:
        channel.send(msg.Broken(problem=str(problem)))
    except ServiceFailed as problem:
        channel.send(msg.Failed(problem=str(problem)))
    except ChannelClosed:
        pass  # chatbench has finished or ended


if __name__ == "__main__":
    run_child(main)
