"""Locust's web UI, in which the user starts and stops tests; chatbench runs the phases of each test and records it.

Besides Locust's own pages there is a tab with the ledger's verdict and the CPU time of each component. Everything uses
Locust's extension points: its parser for the fields, its Flask app to check a form, and its extended tabs.
"""

from __future__ import annotations

import csv
import io
import json
import math
import sys
from argparse import Namespace
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import gevent
import msgspec
from flask import Response, jsonify, request, send_from_directory
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
from harness.core.callers import WRONG_NAME, Callers
from harness.core.errors import UsageError
from harness.core.escapes import SpreadsheetRows
from harness.core.settings import RunSettings
from harness.core.units import cost_text
from harness.ipc import messages as msg
from harness.ipc.channel import Channel
from harness.ipc.driver_settings import DriverSettings, WebSettings
from harness.load.frame_budget import check_frames
from harness.load.locust_options import add_load_options, add_scenario_options, load_of
from harness.load.locust_plugin import uninstall_options
from harness.load.locust_stats import SafeStatsCSV
from harness.load.scenario import BrokenScenario, Scenario
from harness.load.test_controller import TestController

TAB = "ledger"
RECORDED_TIMEOUT_S = 60.0
LISTENING_POLL_S = 0.01
NOT_MEASURED = "not measured"
TOTAL_ROW = "Aggregated"
FOREIGN_PAGE = "pages of other origins may not send requests; to allow this one, start chatbench ui with --origin"
FORM_MAX_BYTES = 64 * 1024
FIELDS = {"user_count", "spawn_rate", "host", "run_time", "profile"}  # Locust's own; the form also has chatbench's
SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
# This is added to Locust's page, which has no settings for it. Scenario and rate come first, in a section that is
# open. Host and profile are hidden, because they have no effect here. The buttons that change a running test are
# hidden, because that is refused and Locust's page would not say so. The record's path becomes a link, because
# Locust's tables show only text.
PAGE_HEAD = """
<style>
  form > *, form > * > * { order: 1 }
  .MuiAccordion-root:has([name=scenario]) { order: 0 }
  .MuiAccordion-root:has([name=scenario]) .MuiCollapse-root { height: auto !important; visibility: visible !important }
  .MuiAccordionDetails-root:has([name=scenario]) > * {
    display: grid !important; grid-template-columns: repeat(2, 1fr); column-gap: 1rem }
  .MuiFormControl-root:has([name=host]), .MuiFormControl-root:has([name=profile]) { display: none }
</style>
<script>
  new MutationObserver(() => {
    for (const button of document.querySelectorAll("button")) {
      if (["Edit", "Reset"].includes(button.textContent)) button.style.display = "none";
    }
    for (const row of document.querySelectorAll("tr")) {
      const [what, value] = row.children;
      if (value && what.textContent === "record" && !value.firstElementChild) {
        const link = document.createElement("a");
        Object.assign(link, { href: "/record/report.html", target: "_blank", textContent: value.textContent });
        value.replaceChildren(link);
      }
    }
  }).observe(document, { childList: true, subtree: true, characterData: true });
</script>
"""
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
        self._callers = Callers.of((settings.web.host,), settings.web.origins)
        self._run = settings.run
        self._scenarios = {scenario.path.stem: scenario for scenario in scenarios}
        self._urls: list[str] = []
        self._frames_per_s = math.inf  # the gateways' limit for one member, known once the gateways have started
        self._recorded_at = Event()
        self._recorded: msg.Recorded | None = None
        self._said = self._acked = self._delivered = 0
        self._test = TestController(environment, channel, self._note_second)
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
                    self._recorded = order
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

    def _check_caller(self) -> Response | None:
        """Refuse requests of other pages: Locust has no authentication, and any page may read its answers."""
        hosts, origins = request.headers.getlist("Host"), request.headers.getlist("Origin")
        if not self._callers.hosts_allowed(hosts):
            return Response(f"{WRONG_NAME}, or start chatbench ui with --origin\n", 403, mimetype="text/plain")
        if not self._callers.origins_allowed(origins, hosts):
            return Response(f"{FOREIGN_PAGE}\n", 403, mimetype="text/plain")
        return None

    def _check_request(self) -> Response | None:
        """Refuse, before Locust handles it, a test that could not run and a change of a running test."""
        if request.method in SAFE_METHODS:
            return None
        idle = self._runner.state in (STATE_INIT, STATE_STOPPED) and not self._is_starting()
        if request.path == "/swarm" and idle:
            return self._take_form()
        why = _refusal(request.path, idle)
        return None if why is None else _refused(why)

    def _is_starting(self) -> bool:
        """Whether Locust has accepted a start that its runner's state does not show yet."""
        start = self._ui._swarm_greenlet  # Locust has no public way to know
        return start is not None and not start.ready()

    def _take_form(self) -> Response | None:
        """Check the form's options and keep them for the test; return the refusal if they cannot be run."""
        try:
            options = self._options_of(request.form)
            config.validate_load(self._settings_of(options))
            scenario = self._chosen(options)
            scenario.choose_options({name: str(getattr(options, name)) for name in scenario.options})
            check_frames(self._load_of(options), self._frames_per_s)
        except (UsageError, BrokenScenario) as problem:
            return _refused(str(problem))
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
        self._recorded = None
        self._recorded_at.clear()
        try:
            self._begin_test()
        except (UsageError, BrokenScenario, TimeoutError) as problem:
            self._recorded = msg.Recorded(folder=None, problem=str(problem), summary=b"")
            self._recorded_at.set()
            gevent.spawn(self._runner.stop)

    def _begin_test(self) -> None:
        coordinator = self._test.coordinator
        self._said = self._acked = self._delivered = 0
        self._test.broken = self._test.ending = False
        load = coordinator.load
        coordinator.assemble(load, self._urls, self._frames_per_s)
        self._channel.send(msg.Started(settings=self._settings_of(self._options), rooms=load.rooms))
        self._test.in_background(self._test.tell_joining, self._all_joined)

    def _all_joined(self) -> bool:
        if self._environment.shape_class is not None and not self._said:
            self._environment.shape_class.reset_time()  # type: ignore[no-untyped-call]  # Locust's
        target = int(self._runner.target_user_count)
        return target > 0 and self._test.coordinator.joined >= target

    def _on_test_stopping(self, **_: Any) -> None:
        """Wait for the record after TestController has ended the phase, so that the user sees the test end with it."""
        self._recorded_at.wait(RECORDED_TIMEOUT_S)
        self._test.coordinator.forget()

    def _note_second(self, second: msg.Second) -> None:
        if second.second == 0:
            self._said = self._acked = self._delivered = 0
        self._said += second.said
        self._acked += second.acked
        self._delivered += second.delivered

    # --- the tab

    def _make_web_ui(self) -> WebUI:
        """Return Locust's web UI with chatbench's tab, not yet listening."""
        web = self._environment.create_web_ui(self._web.host, self._web.port, delayed_start=True)
        web.stats_csv_writer = SafeStatsCSV(self._environment, PERCENTILES_TO_REPORT)
        web.template_args = {
            "extended_tabs": [{"title": "Ledger and CPU", "key": TAB}],
            "extended_tables": [
                {"key": TAB, "structure": [{"key": "what", "title": "What"}, {"key": "value", "title": self._run.arch}]}
            ],
            "extended_csv_files": [{"href": f"/{TAB}/csv", "title": "Download ledger and CPU CSV"}],
        }
        app = web.app
        assert app is not None
        app.config["MAX_CONTENT_LENGTH"] = FORM_MAX_BYTES
        app.before_request(self._check_caller)
        app.before_request(self._check_request)

        app.jinja_env.policies["json.dumps_kwargs"] = {"sort_keys": False}  # the form's fields keep their order

        @app.after_request
        def add_tab(response: Response) -> Response:
            # No other page may frame this one and trick the user into clicking Start.
            response.headers["Content-Security-Policy"] = "frame-ancestors 'self'"
            if request.path == "/stats/requests" and response.is_json:
                response.set_data(json.dumps(self._figures(response.get_json() or {})))
            elif request.path == "/" and response.mimetype == "text/html":
                response.set_data(response.get_data(as_text=True).replace("</head>", f"{PAGE_HEAD}</head>", 1))
            return response

        @app.route("/record/<path:name>")
        def record_file(name: str) -> Response:
            if self._recorded is None or self._recorded.folder is None:
                return Response("there is no record yet; stop the test first\n", 404, mimetype="text/plain")
            return send_from_directory(self._recorded.folder, name)

        @app.route(f"/{TAB}/csv")
        def tab_csv() -> Response:
            out = io.StringIO()
            writer = SpreadsheetRows(csv.writer(out))
            for row in (("what", "value"), *self._rows()):
                writer.writerow(row)
            name = {"Content-Disposition": f"attachment;filename=chatbench-{TAB}.csv"}
            return Response(out.getvalue(), mimetype="text/csv", headers=name)

        return web

    def _figures(self, figures: dict[str, Any]) -> dict[str, Any]:
        """Return what Locust's page shows, without the total row, which would add up connects, acks and deliveries."""
        rows = [row for row in figures.get("stats", []) if row["name"] != TOTAL_ROW]
        said = next((row["current_rps"] for row in rows if row["name"] == "say->ack"), 0.0)
        extended = [{"key": TAB, "data": [{"what": what, "value": value} for what, value in self._rows()]}]
        return {**figures, "stats": rows, "total_rps": said, "current_rps": said, "extended_stats": extended}

    def _rows(self) -> list[tuple[str, str]]:
        recorded = self._recorded
        if recorded is None:
            counts = (("said so far", self._said), ("acked so far", self._acked), ("delivered so far", self._delivered))
            return [(what, f"{count:,}") for what, count in counts] + [("verdict and CPU", "when the test is stopped")]
        if recorded.folder is None:
            return [("not recorded", recorded.problem or "")]
        summary = msgspec.json.decode(recorded.summary)
        rows = [(name.replace("_", " "), _figure(summary[name])) for name in COUNTS]
        rows += [
            (f"CPU us per delivery, {part}", NOT_MEASURED if us is None else cost_text(us))
            for part, us in summary["cpu_us_per_delivery"].items()
        ]
        rows += [(f"delivery latency {part}, ms", _figure(ms)) for part, ms in summary["latency_ms"].items()]
        rows += [(f"promise: {check['promise']}", _outcome(check["held"])) for check in summary["promises"]]
        valid = summary["driver"]["valid"]
        rows.append(("driver", "valid" if valid else f"not valid: {summary['driver']['why']}"))
        return [*rows, ("record", recorded.folder)]


COUNTS = (
    *("sent", "acked", "not_sent", "expected", "delivered"),
    *("lost", "lost_acked", "duplicated", "reordered", "neither"),
)


def _refusal(path: str, idle: bool) -> str | None:
    """Return why a request is refused, or None if Locust may handle it. Forms that start a test are checked before."""
    match path:
        case "/user":
            return "the locustfile defines the classes of members; change that, and start chatbench ui again"
        case "/stats/reset" if not idle:
            return "a test is running, and these are its counts; stop it first"
        case "/swarm":
            return "a test is running, and its members and rate cannot change; stop it, then start another"
        case "/stop" if idle:
            return "no test is running"
        case "/stop" | "/stats/reset":
            return None
    return "chatbench ui does not support this request"  # also for what later versions of Locust may add


def _refused(why: str) -> Response:
    """Return the answer with which Locust itself refuses a form, so that its page shows the message."""
    return jsonify({"success": False, "message": why, "host": ""})


def _parsed(kind: Callable[[str], Value], name: str, text: str) -> Value:
    """Return a field of the form as a number or text; raises UsageError."""
    try:
        return kind(text)
    except ValueError as problem:
        expected = "a whole number" if kind is int else "a number"
        raise UsageError(f"{name} is {text!r}, but it must be {expected}") from problem


def _figure(value: float | None) -> str:
    if value is None:
        return NOT_MEASURED
    return f"{value:,}" if isinstance(value, int) else f"{value:,.1f}"


def _outcome(held: bool | None) -> str:
    return {True: "held", False: "broken", None: "not tested"}[held]
