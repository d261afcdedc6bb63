"""Locust's web UI as the place where tests are begun and ended; chatbench conducts the phases between, and records.

Beside Locust's own pages there is a tab with the ledger's verdict and the CPU time of each component. Everything uses
Locust's extension points: its parser for the fields, its Flask app for the check of a form, its extended tabs.
"""

from __future__ import annotations

import csv
import io
import json
import sys
from argparse import Namespace
from typing import Any

import gevent
import msgspec
from flask import Response, jsonify, request
from gevent.event import Event
from locust import argument_parser
from locust.argument_parser import LocustArgumentParser
from locust.env import Environment
from locust.runners import STATE_INIT, STATE_STOPPED

from harness import config
from harness.config import RunSettings
from harness.errors import UsageError
from harness.escapes import spreadsheet_cell
from harness.figures import cost_text
from harness.load import messages as msg
from harness.load.channel import Channel
from harness.load.conducted import Conducted
from harness.load.driver_settings import DriverSettings, WebSettings
from harness.load.load_options import load_of
from harness.load.scenario import Scenario

TAB = "ledger"
RECORDED_TIMEOUT_S = 60.0
NOT_MEASURED = "not measured"


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
        self._processes = settings.processes
        self._scenarios = {scenario.path.stem: scenario for scenario in scenarios}
        self._urls: list[str] = []
        self._recorded_at = Event()
        self._recorded: msg.Recorded | None = None
        self._said = self._acked = self._delivered = 0
        self._test = Conducted(environment, channel, self._note_second)
        self._test.coordinator.upcoming = lambda: load_of(self._options, self._members, self._chosen().members[0])
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
                    self._urls = order.urls
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

        def add_fields(parser: LocustArgumentParser) -> None:
            names = list(self._scenarios)
            parser.add_argument("--scenario", choices=names, default=names[0], help="whose chat; its members and shape")
            parser.add_argument("--warmup", type=float, default=10.0, help="seconds of load that are discarded")

        self._environment.events.init_command_line_parser.add_listener(add_fields)  # type: ignore[no-untyped-call]  # Locust's
        given = {
            "users": settings.members,
            "spawn-rate": settings.members,
            "rooms": settings.rooms or 0,
            "rate": settings.rate_per_s,
            "payload": settings.payload_bytes,
            "warmup": self._web.warmup_s,
            "payload-sizes": settings.payload_sizes,
            "seed": settings.seed,
            **next(iter(self._scenarios.values())).choose_options(settings.options),
        }
        # Locust parses the command line again for each page.
        sys.argv[1:] = [part for name, value in given.items() for part in (f"--{name}", str(value))]
        self._options: Namespace = argument_parser.get_parser(default_config_files=[]).parse_args()
        self._environment.parsed_options = self._options

    @property
    def _members(self) -> int:
        return int(self._options.num_users)

    def _chosen(self) -> Scenario:
        return self._scenarios[self._options.scenario]

    def _choose(self, name: str) -> None:
        scenario = self._scenarios[name]
        scenario.choose_in(self._environment)
        self._environment.locustfile = scenario.path.name

    def _settings(self) -> RunSettings:
        options = self._options
        return RunSettings(
            arch=self._web.arch,
            scenario=str(self._chosen().path),
            members=self._members,
            rooms=options.rooms or None,
            rate_per_s=options.rate,
            payload_bytes=options.payload,
            payload_sizes=options.payload_sizes,
            options=tuple(f"{name}={getattr(options, name)}" for name in self._chosen().options),
            processes=self._processes,
            warmup_s=options.warmup,
            duration_s=config.DURATION_MAX_S,  # until the user stops it
            seed=options.seed,
        )

    def _check_form(self) -> Response | None:
        """Before Locust starts what the form asks for: refuse, as Locust does, what could not be run."""
        if request.path != "/swarm" or self._runner.state not in (STATE_INIT, STATE_STOPPED):
            return None
        fields = argument_parser.ui_extra_args_dict()
        try:
            for name, value in request.form.items():
                if name in fields:
                    kind = type(getattr(self._options, name))
                    setattr(self._options, name, kind(value))
                elif name == "user_count":
                    self._options.num_users = int(value)
            if self._options.scenario not in self._scenarios:
                raise UsageError(f"scenario is {self._options.scenario!r}; known: {', '.join(self._scenarios)}")
            config.validate_load(self._settings())
        except (ValueError, UsageError) as problem:
            return jsonify({"success": False, "message": str(problem), "host": ""})
        self._choose(self._options.scenario)
        return None

    # --- a test

    def _on_test_start(self, **_: Any) -> None:
        coordinator = self._test.coordinator
        self._recorded = None
        self._recorded_at.clear()
        self._said = self._acked = self._delivered = 0
        self._test.broken = self._test.ending = False
        load = coordinator.load
        coordinator.assemble(load, self._urls)
        self._channel.send(msg.Started(settings=self._settings(), rooms=load.rooms))
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
        web = self._environment.create_web_ui(self._web.host, self._web.port, delayed_start=True)
        web.template_args = {
            "extended_tabs": [{"title": "Ledger and CPU", "key": TAB}],
            "extended_tables": [
                {"key": TAB, "structure": [{"key": "what", "title": "What"}, {"key": "value", "title": self._web.arch}]}
            ],
            "extended_csv_files": [{"href": f"/{TAB}/csv", "title": "Download ledger and CPU CSV"}],
        }
        app = web.app
        assert app is not None
        app.before_request(self._check_form)

        @app.after_request
        def add_tab(response: Response) -> Response:
            if request.path == "/stats/requests" and response.is_json:
                extended = [{"key": TAB, "data": [{"what": what, "value": value} for what, value in self._rows()]}]
                response.set_data(json.dumps({**(response.get_json() or {}), "extended_stats": extended}))
            return response

        @app.route(f"/{TAB}/csv")
        def tab_csv() -> Response:
            out = io.StringIO()
            rows = [("what", "value"), *self._rows()]
            csv.writer(out).writerows([[spreadsheet_cell(cell) for cell in row] for row in rows])
            name = {"Content-Disposition": f"attachment;filename=chatbench-{TAB}.csv"}
            return Response(out.getvalue(), mimetype="text/csv", headers=name)

        web.start()  # type: ignore[no-untyped-call]  # Locust's

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


def _figure(value: float | None) -> str:
    if value is None:
        return NOT_MEASURED
    return f"{value:,}" if isinstance(value, int) else f"{value:,.1f}"


def _held(held: bool | None) -> str:
    return {True: "held", False: "broken", None: "not tested"}[held]
