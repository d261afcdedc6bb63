"""Runs a scenario under plain `locust -f`, with services, audience and phases but without `chatbench run`.

    locust -f scenarios/big_room.py --headless -u 100 -t 20s --arch plan1
    locust -f scenarios/big_room.py --host ws://127.0.0.1:20001,ws://127.0.0.1:20002

With --host, members use the gateways at those URLs. Without it, `chatbench up` is started as a child process. There is
no warm-up and no record: members speak from their join until Locust stops, and then the ledger's verdict is logged.
Locust's own --processes, --master and --worker spread the members, with one audience for each worker.
"""

from __future__ import annotations

import contextlib
import logging
import math
import sys
import time
from argparse import Namespace
from pathlib import Path
from typing import Any

import gevent
import msgspec
from locust.argument_parser import LocustArgumentParser
from locust.env import Environment
from locust.event import Events
from locust.runners import MasterRunner, WorkerRunner

from harness.core.addresses import gateway_url
from harness.core.errors import ChatbenchError, ExitCode, ServiceFailed, UsageError
from harness.core.registry import baseline_of, candidates
from harness.core.settings import own_token
from harness.core.short_slices import ask_for_short_slices
from harness.gateway.settings import About
from harness.ipc import messages as msg
from harness.load.coordinator import Coordinator
from harness.load.locust_options import add_load_options, add_scenario_options, load_of
from harness.load.member import Member
from harness.load.member_pool import serve_coordinator
from harness.load.mistakes import ScenarioMistake
from harness.measure.histogram import Latencies
from harness.services.gateway_client import ask
from harness.services.processes import Child, reason_in, spawn
from harness.services.workdir import discard, keep, make_logs_folder

UP_TIMEOUT_S = 90.0
ANSWER_TIMEOUT_S = 10.0
FOREVER_NS = 1 << 62

log = logging.getLogger("chatbench")


def install(events: Events) -> None:
    """Hook into Locust's start. These events do not fire when chatbench uses Locust as a library."""
    events.init_command_line_parser.add_listener(_add_options)  # type: ignore[no-untyped-call]  # Locust's
    events.init.add_listener(_on_init)  # type: ignore[no-untyped-call]  # Locust's


def uninstall_options(events: Events) -> None:
    """Remove the options again, for a web UI that adds its own. Nothing happens if they were never installed."""
    with contextlib.suppress(ValueError):
        events.init_command_line_parser.remove_listener(_add_options)  # type: ignore[no-untyped-call]  # Locust's


def _add_options(parser: LocustArgumentParser) -> None:
    parser.add_argument(
        "--arch",
        default=baseline_of(candidates()),
        help="architecture to start if there is no --host",
        include_in_web_ui=False,
    )
    parser.add_argument(
        "--gateways", type=int, help="gateway processes to start if there is no --host", include_in_web_ui=False
    )
    add_load_options(parser)
    add_scenario_options(parser, _member_classes())


def _member_classes() -> list[Any]:
    """Return every class of members: Locust has imported the locustfile by now."""
    return [member for member in Member.__subclasses__() if not member.abstract]


def _on_init(environment: Environment, **_: Any) -> None:
    ask_for_short_slices()
    logs = make_logs_folder()
    if not isinstance(environment.runner, WorkerRunner):
        Standalone(environment, environment.parsed_options or Namespace(), logs)
    if not isinstance(environment.runner, MasterRunner):  # a master has no members of its own
        serve_coordinator(environment, logs / "audience.log")


def _gateways(host: str) -> list[str]:
    """Return the gateway URLs in --host; raises UsageError."""
    return [gateway_url("--host", url) for url in host.split(",")]


class Standalone:
    """Does the work of `chatbench run` inside a Locust process that the user started."""

    def __init__(self, environment: Environment, options: Namespace, logs: Path) -> None:
        self._environment = environment
        self._options = options
        self._logs = logs
        self._services: Child | None = None
        self._measuring = False
        self._broken = False
        try:
            own_token()
            self._urls = _gateways(environment.host) if environment.host else self._start_services()
        except ChatbenchError as problem:
            log.error("%s", problem)
            sys.exit(problem.exit_code)
        self._coordinator = Coordinator(environment, self._on_news)
        self._coordinator.upcoming = self._load
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
        """Make a new audience and ledger for each test; the web UI can start several, one after the other."""
        try:
            self._coordinator.assemble(self._load(), self._urls, self._frames_per_s())
        except (UsageError, ScenarioMistake, TimeoutError) as problem:
            self._give_up(str(problem), ExitCode.USAGE)
            return
        self._broken = False
        self._coordinator.begin(msg.BeginPhase(name="measure", start_ns=time.time_ns(), end_ns=FOREVER_NS))
        self._measuring = True

    def _frames_per_s(self) -> float:
        """Return the smallest limit of the gateways on one member's frames per second; infinite if none answers.

        If a gateway does not answer, the members' joins fail and report why.
        """
        answers = [ask(url, "/about", About, own_token(), ANSWER_TIMEOUT_S) for url in self._urls]
        return min((about.frames_per_s for about in answers if about is not None), default=math.inf)

    def _load(self) -> msg.Load:
        members = self._options.num_users or 1
        if self._environment.shape_class is None and self._environment.runner is not None:
            members = max(1, self._environment.runner.target_user_count)
        classes: Any = self._environment.user_classes
        return load_of(self._options, members, classes)

    def _on_stopping(self, **_: Any) -> None:
        if not self._measuring:
            return
        self._measuring = False
        self._check_joined()
        self._coordinator.end_now()
        try:
            result = self._coordinator.result()
        except UsageError as problem:
            self._fail(str(problem), ExitCode.USAGE)
            return
        except TimeoutError as problem:
            self._fail(f"{problem}; logs are in {self._logs}", ExitCode.SERVICE_FAILED)
            return
        self._coordinator.forget()
        v = result.verdict
        latency = Latencies.unpack(result.latency).summary()
        log.info("sent %d, acked %d, not sent %d", v.sent, v.acked, result.not_sent)
        log.info("deliveries: %d of %d expected; lost %d", v.delivered, v.expected, v.lost)
        log.info("duplicated %d, out of order %d", v.duplicated, v.reordered)
        log.info("delivery latency p50 %s ms, p99 %s ms (no warm-up was discarded)", latency.p50, latency.p99)
        if result.workers_lost:
            lost = f"{result.workers_lost} Locust workers were lost, and their members are not counted"
            self._fail(lost, ExitCode.SERVICE_FAILED)

    def _check_joined(self) -> None:
        joined, failures = self._coordinator.joined, self._coordinator.failures
        if failures or not joined:
            why = failures[0] if failures else f"no gateway answered; is one at {', '.join(self._urls)}?"
            self._fail(f"{joined} members could join, others could not: {why}", ExitCode.SERVICE_FAILED)

    def _fail(self, problem: str, code: ExitCode) -> None:
        """Log the problem. The first failure decides Locust's exit code."""
        log.error("%s", problem)
        if self._environment.process_exit_code is None:
            self._environment.process_exit_code = code

    def _give_up(self, problem: str, code: ExitCode) -> None:
        """End the test. Without the web UI, which can start another test, end Locust too."""
        self._fail(problem, code)
        runner: Any = self._environment.runner
        gevent.spawn(runner.stop if self._environment.web_ui is not None else runner.quit)

    def _on_quitting(self, **_: Any) -> None:
        if self._services is not None:
            self._services.stop(grace_s=15)
        (keep if self._environment.process_exit_code else discard)(self._logs)

    def _on_news(self, news: msg.FromCoordinator | msg.MemberFailed) -> None:
        match news:
            case msg.Failed():
                self._give_up(f"{news.problem}; its log is in {self._logs}", ExitCode.SERVICE_FAILED)
            case msg.Broken() | msg.Flooded():
                if not self._broken:
                    self._broken = True
                    usage = isinstance(news, msg.Broken)
                    self._give_up(news.problem, ExitCode.USAGE if usage else ExitCode.SERVICE_FAILED)
            case msg.MemberFailed():
                log.error("member %d: %s", news.member, news.reason)
