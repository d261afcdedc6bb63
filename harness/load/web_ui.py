"""Locust's web UI as the place where tests are begun and ended; chatbench conducts the phases between, and records.

Beside Locust's own pages there is a tab with the ledger's verdict and the CPU time of each component. Everything uses
Locust's extension points: its parser for the fields, its Flask app for the check of a form, its extended tabs.
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
from harness.load.test_controller import Conducted

TAB = "ledger"
RECORDED_TIMEOUT_S = 60.0
NOT_MEASURED = "not measured"
TOTAL_ROW = "Aggregated"
FOREIGN_PAGE = "pages of other origins give no orders here; if this one may, start chatbench ui with --origin"
FORM_MAX_BYTES = 64 * 1024
FIELDS = {"user_count", "spawn_rate", "host", "run_time", "profile"}  # of Locust's form, beside those of chatbench
SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
# Put into Locust's page, which has no settings for this: scenario and rate come first, in a form that is open; a host
# and a profile count for nothing here; its page says nothing where a change of a test that is on is refused, so the
# buttons for that are not shown; and a table shows text only, so the record's path is made a link.
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
    """Any number of tests, one after the other, as the user of the web UI asks for them."""

    def __init__(
        self,
        environment: Environment,
        scenarios: list[Scenario],
        settings: DriverSettings,
        channel: Channel[msg.ToCoordinator],
    ) -> None:
        assert settings.web is not None
        self._environment = environment
        self._runner: Any = environment.runner  # what both kinds of runner have, with types Locust does not give
        self._channel = channel
        self._web: WebSettings = settings.web
        self._callers = Callers.of((settings.web.host,), settings.web.origins)
        self._run = settings.run
        self._scenarios = {scenario.path.stem: scenario for scenario in scenarios}
        self._urls: list[str] = []
        self._frames_per_s = math.inf  # that one member may send; until the gateways are there, nobody can
        self._recorded_at = Event()
        self._recorded: msg.Recorded | None = None
        self._said = self._acked = self._delivered = 0
        self._test = Conducted(environment, channel, self._note_second)
        self._test.coordinator.upcoming = lambda: self._load_of(self._options)
        self._parse(settings)
        self._choose(self._options.scenario)
        environment.events.test_start.add_listener(self._on_test_start)  # type: ignore[no-untyped-call]  # Locust's
        environment.events.test_stopping.add_listener(self._on_test_stopping)  # type: ignore[no-untyped-call]  # Locust's
        self._open_web_ui()

    def obey(self) -> None:
        """Act on chatbench's messages until it closes the channel."""
        self._channel.send(msg.Ready(rooms=1))
        while (order := self._channel.receive()) is not None:
            match order:
                case msg.Spawn():
                    self._urls, self._frames_per_s = order.urls, order.frames_per_s
                    self._environment.host = order.urls[0]  # Locust warns where there is none
                case msg.Recorded():
                    self._recorded = order
                    self._recorded_at.set()
                    if self._runner.state not in (STATE_INIT, STATE_STOPPED):  # it failed: the members need not go on
                        gevent.spawn(self._runner.stop)
                case _:
                    self._test.obey(order)

    # --- the fields of the form

    def _parse(self, settings: DriverSettings) -> None:
        """Make what was asked for on chatbench's command line the defaults of the fields."""
        names = list(self._scenarios)

        def add_fields(parser: LocustArgumentParser) -> None:
            """In the order in which the form shows them."""
            parser.add_argument("--scenario", choices=names, default=names[0], help="whose chat; its members and shape")
            add_load_options(parser)
            parser.add_argument("--warmup", type=float, default=10.0, help="seconds of load that are discarded")
            add_scenario_options(parser, [each for scenario in self._scenarios.values() for each in scenario.members])

        uninstall_options(self._environment.events)  # these are for plain Locust, in an order of their own
        self._environment.events.init_command_line_parser.add_listener(add_fields)  # type: ignore[no-untyped-call]  # Locust's
        given = {
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
        # Locust parses the command line again for each page.
        sys.argv[1:] = [part for name, value in given.items() for part in (f"--{name}", str(value))]
        self._options: Namespace = argument_parser.get_parser(default_config_files=[]).parse_args()
        self._environment.parsed_options = self._options

    def _chosen(self, options: Namespace) -> Scenario:
        return self._scenarios[options.scenario]

    def _choose(self, name: str) -> None:
        scenario = self._scenarios[name]
        scenario.choose_in(self._environment)
        self._environment.locustfile = scenario.path.name

    def _load_of(self, options: Namespace) -> msg.Load:
        """Raises BrokenScenario."""
        scenario = self._chosen(options)
        with scenario.may_be_wrong():
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
            duration_s=config.DURATION_MAX_S,  # until the user stops it
            seed=options.seed,
        )

    # --- who may give orders, and which

    def _check_caller(self) -> Response | None:
        """Of every request, since Locust asks nobody who he is, and lets pages of everywhere read its answers."""
        hosts, origins = request.headers.getlist("Host"), request.headers.getlist("Origin")
        if not self._callers.hosts_allowed(hosts):
            return Response(f"{WRONG_NAME}, or start chatbench ui with --origin\n", 403, mimetype="text/plain")
        if not self._callers.origins_allowed(origins, hosts):
            return Response(f"{FOREIGN_PAGE}\n", 403, mimetype="text/plain")
        return None

    def _check_request(self) -> Response | None:
        """Before Locust acts on it: refuse, as Locust does, what could not be run or would change a test that is on."""
        if request.method in SAFE_METHODS:
            return None
        idle = self._runner.state in (STATE_INIT, STATE_STOPPED) and not self._is_beginning()
        if request.path == "/swarm" and idle:
            return self._take_form()
        why = _why_not(request.path, idle)
        return None if why is None else _refused(why)

    def _is_beginning(self) -> bool:
        """Locust has taken an order that its runner does not show yet."""
        order = self._ui._swarm_greenlet  # Locust tells it nowhere else
        return order is not None and not order.ready()

    def _take_form(self) -> Response | None:
        try:
            options = self._asked(request.form)
            config.validate_load(self._settings_of(options))
            scenario = self._chosen(options)
            scenario.choose_options({name: str(getattr(options, name)) for name in scenario.options})
            check_frames(self._load_of(options), self._frames_per_s)
        except (UsageError, BrokenScenario) as problem:
            return _refused(str(problem))
        vars(self._options).update(vars(options))
        self._choose(options.scenario)
        return None

    def _asked(self, form: Mapping[str, str]) -> Namespace:
        """The options with what the form says; nothing of a form that is refused stays. Raises UsageError."""
        options = Namespace(**vars(self._options))
        of_chatbench = argument_parser.ui_extra_args_dict()
        for name in form:  # Locust would take any other of its options as well, unchecked
            if name not in FIELDS and name not in of_chatbench:
                raise UsageError(f"{name[:40]!r} is no field of this form")
        for name in of_chatbench:
            if name in form:
                setattr(options, name, _as(type(getattr(options, name)), name, form[name]))
        if options.scenario not in self._scenarios:
            raise UsageError(f"scenario is {options.scenario!r}; known: {', '.join(self._scenarios)}")
        options.num_users = _as(int, "user_count", form.get("user_count", str(options.num_users)))
        spawn_rate = _as(float, "spawn_rate", form.get("spawn_rate", str(options.spawn_rate)))
        if not 0 < spawn_rate <= config.MEMBERS_MAX:
            raise UsageError(f"spawn_rate is {spawn_rate:g}, but it must be a number of members a second, 1 or so")
        if (host := form.get("host")) and host != self._environment.host:
            raise UsageError(f"host is {host!r}, but the gateways are those of chatbench ui; leave it as it was")
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
        """After Conducted has ended the phase: the test is over for the user when its record is there."""
        self._recorded_at.wait(RECORDED_TIMEOUT_S)
        self._test.coordinator.forget()

    def _note_second(self, second: msg.Second) -> None:
        if second.second == 0:
            self._said = self._acked = self._delivered = 0
        self._said += second.said
        self._acked += second.acked
        self._delivered += second.delivered

    # --- the tab

    def _open_web_ui(self) -> None:
        self._ui = web = self._environment.create_web_ui(self._web.host, self._web.port, delayed_start=True)
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
            response.headers["Content-Security-Policy"] = "frame-ancestors 'self'"  # nobody clicks Start unknowingly
            if request.path == "/stats/requests" and response.is_json:
                response.set_data(json.dumps(self._figures(response.get_json() or {})))
            elif request.path == "/" and response.mimetype == "text/html":
                response.set_data(response.get_data(as_text=True).replace("</head>", f"{PAGE_HEAD}</head>", 1))
            return response

        @app.route("/record/<path:name>")
        def of_record(name: str) -> Response:
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

        web.start()  # type: ignore[no-untyped-call]  # Locust's

    def _figures(self, figures: dict[str, Any]) -> dict[str, Any]:
        """What Locust's page shows: its own rows, without the one that adds up connections, acks and deliveries."""
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
        rows += [(f"promise: {check['promise']}", _held(check["held"])) for check in summary["promises"]]
        valid = summary["driver"]["valid"]
        rows.append(("driver", "valid" if valid else f"not valid: {summary['driver']['why']}"))
        return [*rows, ("record", recorded.folder)]


COUNTS = (
    *("sent", "acked", "not_sent", "expected", "delivered"),
    *("lost", "lost_acked", "duplicated", "reordered", "neither"),
)


def _why_not(path: str, idle: bool) -> str | None:
    """None: Locust may act on that order, which is no form to begin a test."""
    match path:
        case "/user":
            return "classes of members are as their locustfile says; change that, and start chatbench ui again"
        case "/stats/reset" if not idle:
            return "a test is on, and these are its counts; stop it first"
        case "/swarm":
            return "a test is on, and its members and rate stay as they are; stop it, then start another"
        case "/stop" if idle:
            return "no test is on"
        case "/stop" | "/stats/reset":
            return None
    return "chatbench ui takes no such order"  # whatever Locust learns to do


def _refused(why: str) -> Response:
    """As Locust itself refuses a form: its page shows the message."""
    return jsonify({"success": False, "message": why, "host": ""})


def _as(kind: Callable[[str], Value], name: str, given: str) -> Value:
    """A field of the form; raises UsageError."""
    try:
        return kind(given)
    except ValueError as problem:
        what = "a whole number" if kind is int else "a number"
        raise UsageError(f"{name} is {given!r}, but it must be {what}") from problem


def _figure(value: float | None) -> str:
    if value is None:
        return NOT_MEASURED
    return f"{value:,}" if isinstance(value, int) else f"{value:,.1f}"


def _held(held: bool | None) -> str:
    return {True: "held", False: "broken", None: "not tested"}[held]
