"""Runs a test's phases as chatbench orders over a channel, while Locust's runner holds the members."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable
from typing import Any

import gevent
from gevent.event import Event
from locust.env import Environment

from harness.core.errors import LoadTooFast, UsageError, where
from harness.ipc import messages as msg
from harness.ipc.channel import Channel
from harness.load.coordinator import Coordinator
from harness.load.mistakes import mistake_text, scenario_of

SPAWN_TIMEOUT_S = 90.0
ENDING_TIMEOUT_S = 60.0
SHAPE_LOOK_S = 0.2


class TestController:
    """Carries out chatbench's orders for the phases of a test, and reports their results."""

    def __init__(
        self,
        environment: Environment,
        channel: Channel[msg.ToCoordinator],
        on_second: Callable[[msg.Second], None] = lambda _second: None,
    ) -> None:
        self._on_second = on_second
        self._environment = environment
        self._channel = channel
        self._phase_over = Event()
        self._phase_over.set()
        self.broken = False
        self.ending = False
        self.coordinator = Coordinator(environment, self._on_news)
        gevent.spawn(self._watch_shape)
        environment.events.test_stopping.add_listener(self._on_test_stopping)  # type: ignore[no-untyped-call]  # Locust's

    def obey(self, order: msg.ToCoordinator) -> None:
        match order:
            case msg.Probe():
                self.in_background(self._probe, order)
            case msg.BeginPhase():
                self._phase_over.clear()
                self.coordinator.begin(order)
                self.in_background(self._finish_phase)
            case msg.EndPhase():
                self.coordinator.end_now()
            case msg.SlowDown():
                self.coordinator.slow_down(order)
            case msg.FaultBegan():
                self.coordinator.note_fault(order.at_ns)

    def in_background(self, work: Callable[..., None], *arguments: Any) -> None:
        def run() -> None:
            try:
                work(*arguments)
            except UsageError as problem:
                self._on_news(msg.Broken(problem=str(problem), too_fast=isinstance(problem, LoadTooFast)))
            except Exception as problem:  # noqa: BLE001 - chatbench must learn of every failure, or it waits for an answer
                traceback.print_exc()
                self._channel.send(msg.Failed(problem=f"the driver failed: {where(problem)}"))

        gevent.spawn(run)

    def _watch_shape(self) -> None:
        """Report a shape that raises an exception, which Locust only logs before it continues without the shape."""
        reported = None
        while True:
            gevent.sleep(SHAPE_LOOK_S)
            shape: Any = getattr(self._environment.runner, "shape_greenlet", None)
            if shape is not None and shape is not reported and shape.ready() and not shape.successful():
                reported = shape
                problem = mistake_text(shape.exception, scenario_of(self._environment))
                self._on_news(msg.Broken(problem=f"{problem}; the error came from its shape's tick()"))

    def tell_joining(self, enough: Callable[[], bool]) -> None:
        """Report the number of members that have joined, until it is enough or one could not join."""
        coordinator = self.coordinator
        deadline = time.monotonic() + SPAWN_TIMEOUT_S
        while not enough() and not coordinator.failures and not self.broken and not self.ending:
            if time.monotonic() > deadline:
                coordinator.failures.append(f"not all members had joined within {SPAWN_TIMEOUT_S:g} s")
            self._channel.send(msg.Spawned(joined=coordinator.joined))
            gevent.sleep(0.1)
        problem = coordinator.failures[0] if coordinator.failures else None
        self._channel.send(msg.Spawned(joined=coordinator.joined, problem=problem, complete=True))

    def _probe(self, order: msg.Probe) -> None:
        self._channel.send(msg.Probed(problem=self.coordinator.probe(order)))

    def _finish_phase(self) -> None:
        try:
            result = self.coordinator.result()
        finally:
            self._phase_over.set()
        self._channel.send(result)

    def _on_test_stopping(self, **_: Any) -> None:
        """End the phase, since the scenario's shape or the user has ended the test; Locust stops the members later."""
        self.ending = True
        self._channel.send(msg.Ending())
        self.coordinator.end_now()
        self._phase_over.wait(ENDING_TIMEOUT_S)

    def _on_news(self, news: msg.FromCoordinator | msg.MemberFailed) -> None:
        match news:
            case msg.Broken() | msg.Flooded():  # many members may report the same problem, and one report is enough
                if not self.broken:
                    self.broken = True
                    self._channel.send(news)
            case msg.Second():
                self._on_second(news)
                self._channel.send(news)
            case msg.Failed():
                self._channel.send(news)
