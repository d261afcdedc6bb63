"""A scenario under plain `locust -f`: services, audience and phases without `chatbench run`.

    locust -f scenarios/big_room.py --headless -u 100 -t 20s --arch plan1
    locust -f scenarios/big_room.py --host ws://127.0.0.1:20001,ws://127.0.0.1:20002

With --host the gateways there are used; without it `chatbench up` is started as a child. There is no warm-up and
no record: members speak from the moment they joined until Locust stops, then the ledger's verdict is logged.
"""

from __future__ import annotations

import logging
import sys
import tempfile
import time
from argparse import Namespace
from pathlib import Path
from typing import Any

import gevent
import msgspec
from gevent.event import AsyncResult
from locust.argument_parser import LocustArgumentParser
from locust.env import Environment
from locust.event import Events

from harness.errors import ServiceFailed
from harness.load import messages as msg
from harness.load.crowd import Crowd, LoadSettings
from harness.measure.histogram import Latencies
from harness.services.supervise import Child, reason_in, spawn

UP_TIMEOUT_S = 90.0
ANSWER_TIMEOUT_S = 40.0
FOREVER_NS = 1 << 62

log = logging.getLogger("chatbench")


def install(events: Events) -> None:
    """Hook into Locust's own start; these events are not fired where chatbench uses Locust as a library."""
    events.init_command_line_parser.add_listener(_add_options)  # type: ignore[no-untyped-call]  # Locust's
    events.init.add_listener(_on_init)  # type: ignore[no-untyped-call]  # Locust's


def _add_options(parser: LocustArgumentParser) -> None:
    group = parser.add_argument_group("chatbench", "What --host does not say")
    group.add_argument("--arch", default="plan1", help="architecture to start when there is no --host")
    group.add_argument("--gateways", type=int, default=None, help="gateway processes to start")
    group.add_argument("--rooms", type=int, default=None, help="rooms; default: the scenario's own")
    group.add_argument("--rate", type=float, default=20.0, help="messages per second of all members together")
    group.add_argument("--payload", type=int, default=100, help="bytes of a message's text")
    group.add_argument("--seed", type=int, default=1, help="of the load's random choices")


def _on_init(environment: Environment, **_: Any) -> None:
    Standalone(environment, environment.parsed_options or Namespace())


class Standalone:
    """Stands in for chatbench run in a Locust process of its own."""

    def __init__(self, environment: Environment, options: Namespace) -> None:
        self._environment = environment
        self._options = options
        self._logs = Path(tempfile.mkdtemp(prefix="chatbench-locust-"))
        self._services: Child | None = None
        self._crowd: Crowd | None = None
        self._result: AsyncResult = AsyncResult()
        try:
            self._urls = environment.host.split(",") if environment.host else self._start_services()
        except ServiceFailed as problem:
            log.error("%s", problem)
            sys.exit(problem.exit_code)
        environment.events.test_start.add_listener(self._on_start)  # type: ignore[no-untyped-call]  # Locust's
        environment.events.test_stopping.add_listener(self._on_stopping)  # type: ignore[no-untyped-call]  # Locust's
        environment.events.quitting.add_listener(self._on_quitting)  # type: ignore[no-untyped-call]  # Locust's

    def _start_services(self) -> list[str]:
        argv = [sys.executable, "-m", "harness.cli", "up", "--arch", self._options.arch]
        if self._options.gateways is not None:
            argv += ["--gateways", str(self._options.gateways)]
        output = self._logs / "up.log"
        log.info("no --host: starting %s; its output is %s", " ".join(argv[2:]), output)
        self._services = spawn("chatbench up", argv, output)
        deadline = time.monotonic() + UP_TIMEOUT_S
        while time.monotonic() < deadline:
            for line in output.read_text(encoding="utf-8").splitlines():
                if line.startswith("{"):
                    return list(msgspec.json.decode(line)["gateways"])
            self._services.check()
            gevent.sleep(0.1)
        raise ServiceFailed(f"chatbench up took longer than {UP_TIMEOUT_S:g} s: {reason_in(output)}")

    def _on_start(self, **_: Any) -> None:
        """A new audience and ledger for each test; the web UI can start several, one after the other."""
        if self._crowd is not None:
            self._crowd.close()
        assert self._environment.runner is not None
        members = max(1, self._environment.runner.target_user_count)
        scenario: Any = self._environment.user_classes[0]
        load = LoadSettings(
            members=members,
            rooms=self._options.rooms or scenario.rooms_for(members),
            rate_per_s=self._options.rate,
            payload_bytes=self._options.payload,
            seed=self._options.seed,
        )
        self._result = AsyncResult()
        self._crowd = Crowd(self._environment, load, self._logs / "audience.log", self._on_news)
        self._crowd.urls = self._urls
        self._crowd.begin(msg.BeginPhase(name="measure", start_ns=time.time_ns(), end_ns=FOREVER_NS))

    def _on_stopping(self, **_: Any) -> None:
        if self._crowd is None or self._result.ready():
            return
        self._crowd.end_now()
        not_sent = self._crowd.await_end()
        try:
            result = self._result.get(timeout=ANSWER_TIMEOUT_S)
        except gevent.Timeout:
            log.error("the audience gave no result within %g s; its log is in %s", ANSWER_TIMEOUT_S, self._logs)
            return
        v = result.verdict
        latency = Latencies.decode(result.latency).summary()
        log.info("sent %d, acked %d, not sent %d", v.sent, v.acked, not_sent)
        log.info("deliveries: %d of %d expected; lost %d", v.delivered, v.expected, v.lost)
        log.info("duplicated %d, out of order %d", v.duplicated, v.reordered)
        log.info("delivery latency p50 %s ms, p99 %s ms (no warm-up was discarded)", latency.p50, latency.p99)

    def _on_quitting(self, **_: Any) -> None:
        if self._crowd is not None:
            self._crowd.close()
        if self._services is not None:
            self._services.stop(grace_s=15)

    def _on_news(self, news: msg.FromAudience | msg.Failed) -> None:
        match news:
            case msg.PhaseResult():
                self._result.set(news)
            case msg.Failed():
                log.error("%s; its log is in %s", news.problem, self._logs)
                self._environment.process_exit_code = 1
                if self._environment.runner is not None:
                    self._environment.runner.quit()
            case msg.MemberFailed():
                log.error("member %d: %s", news.member, news.reason)
