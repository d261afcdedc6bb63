"""Locust's web UI, in which the user starts and stops tests; chatbench runs the phases of each test and records it.

Besides Locust's own pages there is a tab with the ledger's verdict and the CPU time of each component. Everything uses
Locust's extension points: its parser for the fields, its Flask app to check a form, and its extended tabs.
"""

from __future__ import annotations

import math
import sys
from argparse import Namespace
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, TypeVar

import gevent
import msgspec
from flask import Response, request
from gevent.event import Event
from locust import argument_parser
from locust.argument_parser import LocustArgumentParser
from locust.env import Environment
from locust.runners import STATE_INIT, STATE_STOPPED
from locust.stats import PERCENTILES_TO_REPORT
from locust.util.timespan import parse_timespan
from locust.web import WebUI

from architectures.clients.address import HostPort
from harness.core import settings as config
from harness.core.callers import Callers
from harness.core.errors import UsageError
from harness.core.settings import RunSettings
from harness.core.validation import validate_load
from harness.ipc import messages as msg
from harness.ipc.channel import Channel
from harness.ipc.driver_settings import DriverSettings, WebSettings
from harness.load.frame_budget import check_frames
from harness.load.locust_options import add_load_options, add_scenario_options, load_of
from harness.load.locust_plugin import uninstall_options
from harness.load.locust_stats import SafeStatsCSV
from harness.load.scenario import BrokenScenario, Scenario
from harness.load.test_controller import TestController
from harness.load.web_page import WebPage
from harness.load.web_requests import SAFE_METHODS, check_caller, refused, why_refused

RECORDED_TIMEOUT_S = 60.0
LISTENING_POLL_S = 0.01
FORM_MAX_BYTES = 64 * 1024
FIELDS = {"user_count", "spawn_rate", "host", "run_time", "profile"}  # Locust's own; the form also has chatbench's
Value = TypeVar("Value")


class WebDriver:
    """Any number of tests, one after the other, which the user of the web UI starts and stops."""

    def __init__(
        self,
        environment: Environment,
        scenarios: list[Scenario],
        settings: DriverSettings,
        channel: Channel[msg.ToCoordinator],
    ) -> None:
        assert settings.web is not None
        self._environment = environment
        self._runner: Any = environment.runner  # Locust does not type what both kinds of runner have in common
        self._channel = channel
        self._web: WebSettings = settings.web
        self._run = settings.run
        self._scenarios = {scenario.path.stem: scenario for scenario in scenarios}
        self._urls: list[str] = []
        self._frames_per_s = math.inf  # the gateways' limit for one member, known once the gateways have started
        self._recorded_at = Event()
        self._page = WebPage(settings.run.arch)
        self._test = TestController(environment, channel, self._page.note_second)
        self._test.coordinator.upcoming = lambda: self._load_of(self._options)
        self._parse(settings)
        self._choose(self._options.scenario)
        environment.events.test_start.add_listener(self._on_test_start)  # type: ignore[no-untyped-call]  # Locust's
        environment.events.test_stopping.add_listener(self._on_test_stopping)  # type: ignore[no-untyped-call]  # Locust's
        self._ui = self._make_web_ui()

    def obey(self) -> None:
        """Carry out chatbench's orders until it closes the channel."""
        self._channel.send(msg.Ready(rooms=1))
        while (order := self._channel.receive()) is not None:
            match order:
                case msg.Spawn():
                    self._urls, self._frames_per_s = order.urls, order.frames_per_s
                    self._environment.host = order.urls[0]  # Locust warns if there is none
                    self._listen()
                case msg.Recorded():
                    self._page.recorded = order
                    self._recorded_at.set()
                    if self._runner.state not in (STATE_INIT, STATE_STOPPED):  # the test failed: stop its members
                        gevent.spawn(self._runner.stop)
                case _:
                    self._test.obey(order)

    def _listen(self) -> None:
        """Open the web UI only now that the gateways are known, so that no form is checked without their limit."""
        ui: Any = self._ui  # Locust does not type its server
        ui.start()
        while not (ui.server is not None and ui.server.started):
            if ui.greenlet.ready():
                at = HostPort(self._web.host, self._web.port)
                self._channel.send(msg.Failed(problem=f"the web UI cannot listen at {at}: {ui.greenlet.exception}"))
                return
            gevent.sleep(LISTENING_POLL_S)
        self._channel.send(msg.Listening())

    # --- the fields of the form

    def _parse(self, settings: DriverSettings) -> None:
        """Add chatbench's fields to the form, with the options of chatbench's command line as defaults."""
        names = list(self._scenarios)

        def add_fields(parser: LocustArgumentParser) -> None:
            # The form shows the fields in this order.
            parser.add_argument("--scenario", choices=names, default=names[0], help="scenario to run")
            add_load_options(parser)
            parser.add_argument("--warmup", type=float, default=10.0, help="seconds of load before the measurement")
            add_scenario_options(parser, [each for scenario in self._scenarios.values() for each in scenario.members])

        uninstall_options(self._environment.events)  # the options for plain Locust would appear too, in another order
        self._environment.events.init_command_line_parser.add_listener(add_fields)  # type: ignore[no-untyped-call]  # Locust's
        defaults = {
            "users": settings.run.members,
            "spawn-rate": settings.run.members,
            "rooms": settings.run.rooms or 0,
            "rate": settings.run.rate_per_s,
            "payload": settings.run.payload_bytes,
            "warmup": settings.run.warmup_s,
            "payload-sizes": settings.run.payload_sizes,
            "seed": settings.run.seed,
            **next(iter(self._scenarios.values())).choose_options(settings.options),
        }
        # Locust parses the command line again for each page, so that is where the defaults have to be.
        sys.argv[1:] = [part for name, value in defaults.items() for part in (f"--{name}", str(value))]
        self._options: Namespace = argument_parser.get_parser(default_config_files=[]).parse_args()
        self._environment.parsed_options = self._options

    def _chosen(self, options: Namespace) -> Scenario:
        return self._scenarios[options.scenario]

    def _choose(self, name: str) -> None:
        scenario = self._scenarios[name]
        scenario.choose_in(self._environment)
        self._environment.locustfile = scenario.path.name

    def _load_of(self, options: Namespace) -> msg.Load:
        """Return the load that these options describe; raises BrokenScenario."""
        scenario = self._chosen(options)
        with scenario.reporting_mistakes():
            return load_of(options, int(options.num_users), scenario.members)

    def _settings_of(self, options: Namespace) -> RunSettings:
        return msgspec.structs.replace(
            self._run,
            scenario=str(self._chosen(options).path),
            members=int(options.num_users),
            rooms=options.rooms or None,
            rate_per_s=options.rate,
            payload_bytes=options.payload,
            payload_sizes=options.payload_sizes,
            options=tuple(f"{name}={getattr(options, name)}" for name in self._chosen(options).options),
            warmup_s=options.warmup,
            duration_s=config.DURATION_MAX_S,  # the user stops the test
            seed=options.seed,
        )

    # --- checks of requests

    def _check_request(self) -> Response | None:
        """Refuse, before Locust handles it, a test that could not run and a change of a running test."""
        if request.method in SAFE_METHODS:
            return None
        idle = self._runner.state in (STATE_INIT, STATE_STOPPED) and not self._is_starting()
        if request.path == "/swarm" and idle:
            return self._take_form()
        why = why_refused(request.path, idle)
        return None if why is None else refused(why)

    def _is_starting(self) -> bool:
        """Whether Locust has accepted a start that its runner's state does not show yet."""
        start = self._ui._swarm_greenlet  # Locust has no public way to know
        return start is not None and not start.ready()

    def _take_form(self) -> Response | None:
        """Check the form's options and keep them for the test; return the refusal if they cannot be run."""
        try:
            options = self._options_of(request.form)
            validate_load(self._settings_of(options))
            scenario = self._chosen(options)
            scenario.choose_options({name: str(getattr(options, name)) for name in scenario.options})
            check_frames(self._load_of(options), self._frames_per_s)
        except (UsageError, BrokenScenario) as problem:
            return refused(str(problem))
        vars(self._options).update(vars(options))
        self._choose(options.scenario)
        return None

    def _options_of(self, form: Mapping[str, str]) -> Namespace:
        """Return a copy of the current options with the form's values. Raises UsageError."""
        options = Namespace(**vars(self._options))
        chatbench_fields = argument_parser.ui_extra_args_dict()
        for name in form:  # Locust would accept any other of its own options as well, unchecked
            if name not in FIELDS and name not in chatbench_fields:
                raise UsageError(f"{name[:40]!r} is not a field of this form")
        for name in chatbench_fields:
            if name in form:
                setattr(options, name, _parsed(type(getattr(options, name)), name, form[name]))
        if options.scenario not in self._scenarios:
            raise UsageError(f"scenario is {options.scenario!r}; known: {', '.join(self._scenarios)}")
        options.num_users = _parsed(int, "user_count", form.get("user_count", str(options.num_users)))
        spawn_rate = _parsed(float, "spawn_rate", form.get("spawn_rate", str(options.spawn_rate)))
        if not 0 < spawn_rate <= config.MEMBERS_MAX:
            raise UsageError(f"spawn_rate is {spawn_rate:g}, but it must be a number of members per second, such as 10")
        if (host := form.get("host")) and host != self._environment.host:
            raise UsageError(f"host is {host!r}, but tests use the gateways of chatbench ui; do not change it")
        if run_time := form.get("run_time"):
            try:
                parse_timespan(run_time)
            except ValueError as problem:
                raise UsageError(f"run_time is {run_time!r}, but it must be like 20s, 3m or 1h20m") from problem
        return options

    # --- a test

    def _on_test_start(self, **_: Any) -> None:
        self._page.recorded = None
        self._recorded_at.clear()
        try:
            self._begin_test()
        except (UsageError, BrokenScenario, TimeoutError) as problem:
            self._page.recorded = msg.Recorded(folder=None, problem=str(problem), summary=b"")
            self._recorded_at.set()
            gevent.spawn(self._runner.stop)

    def _begin_test(self) -> None:
        coordinator = self._test.coordinator
        self._page.begin()
        self._test.broken = self._test.ending = False
        load = coordinator.load
        coordinator.assemble(load, self._urls, self._frames_per_s)
        self._channel.send(msg.Started(settings=self._settings_of(self._options), rooms=load.rooms))
        self._test.in_background(self._test.tell_joining, self._all_joined)

    def _all_joined(self) -> bool:
        if self._environment.shape_class is not None and not self._page.said:
            self._environment.shape_class.reset_time()  # type: ignore[no-untyped-call]  # Locust's
        target = int(self._runner.target_user_count)
        return target > 0 and self._test.coordinator.joined >= target

    def _on_test_stopping(self, **_: Any) -> None:
        """Wait for the record after TestController has ended the phase, so that the user sees the test end with it."""
        self._recorded_at.wait(RECORDED_TIMEOUT_S)
        self._test.coordinator.forget()

    # --- the server

    def _make_web_ui(self) -> WebUI:
        """Return Locust's web UI with chatbench's page and checks, not yet listening."""
        web = self._environment.create_web_ui(self._web.host, self._web.port, delayed_start=True)
        web.stats_csv_writer = SafeStatsCSV(self._environment, PERCENTILES_TO_REPORT)
        app = web.app
        assert app is not None
        app.config["MAX_CONTENT_LENGTH"] = FORM_MAX_BYTES
        app.before_request(partial(check_caller, Callers.of((self._web.host,), self._web.origins)))
        app.before_request(self._check_request)
        self._page.add_to(web)
        return web


def _parsed(kind: Callable[[str], Value], name: str, text: str) -> Value:
    """Return a field of the form as a number or text; raises UsageError."""
    try:
        return kind(text)
    except ValueError as problem:
        expected = "a whole number" if kind is int else "a number"
        raise UsageError(f"{name} is {text!r}, but it must be {expected}") from problem
