"""`chatbench ui`: services and gateways that stay up, Locust's web UI, and a record of each test that the user runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from architectures.clients.address import HostPort
from architectures.interface import Candidate
from harness.core import settings as config
from harness.core.addresses import web_origin
from harness.core.errors import ChatbenchError, Interrupted, ServiceFailed, UsageError
from harness.core.open_files import raise_open_file_limit
from harness.core.progress import Progress
from harness.core.registry import find_scenario, scenario_files
from harness.core.settings import RunSettings
from harness.core.signals import signals_interrupt, signals_wait
from harness.core.validation import validate
from harness.gateway.settings import ANY_LOAD
from harness.ipc import messages as msg
from harness.ipc.driver_settings import DriverSettings, WebSettings
from harness.load.driver_client import DriverProcess
from harness.report.html import write_report
from harness.runs.live_metrics import LiveMetrics, watched
from harness.runs.measurement import Run
from harness.runs.record import Record
from harness.runs.run import recorded
from harness.runs.setup import await_driver, driver_secrets, required, show_first_use, stack_of
from harness.services.backends import Backends
from harness.services.external import external_services, resolve_brokers
from harness.services.ports import cannot_listen
from harness.services.remote import resolve_fleet
from harness.services.run_stack import RunStack
from harness.services.workdir import discard, keep, make_logs_folder


def serve_ui(
    settings: RunSettings,
    architecture: type[Candidate],
    at: tuple[str, int],
    progress: Progress,
    say: Callable[[str], None],
    *,
    origins: tuple[str, ...] = (),
) -> None:
    """Start everything, with the web UI at the (address, port) `at`, and record each test until SIGINT or SIGTERM.

    `origins` are the origins of web pages that may send requests, besides the UI's own and those of this host.

    Raises UsageError or ServiceFailed.
    """
    validate(settings, architecture)
    scenario = find_scenario(settings.scenario)
    config.make_out_dir(settings.out)
    host, port = at
    config.in_range("--port", port, 1, config.PORT_MAX, str)
    if (why := cannot_listen(port, host)) is not None:
        raise UsageError(f"--bind {host} --port {port}: {why}")
    origins = tuple(web_origin("--origin", each) for each in origins)
    settings = resolve_fleet(resolve_brokers(settings))
    raise_open_file_limit()
    logs = make_logs_folder()
    backends = Backends(required(settings, architecture), settings.brokers, logs, external=external_services(settings))
    stack = stack_of(settings, architecture, backends, logs, ANY_LOAD)
    others = [path for path in scenario_files().values() if path != scenario]
    web = WebSettings(
        host=host,
        port=port,
        scenarios=[str(path) for path in (scenario, *others)],
        origins=origins,
    )
    driver: DriverProcess | None = None
    with signals_interrupt(), watched(settings.metrics, origins) as watch:
        try:
            progress.step("start", stack.starting)
            driver_settings = DriverSettings(run=settings, scenario=str(scenario), logs=str(logs), web=web)
            driver = DriverProcess(driver_settings, stack.check, secrets=driver_secrets(settings))
            stack.begin(partial(show_first_use, progress))
            await_driver(driver, settings, progress)
            fleet = stack.start()
            driver.send(msg.Spawn(urls=fleet.urls, frames_per_s=fleet.frames_per_s()))
            recorder = Recorder(architecture, stack, driver, progress, watch)
            while True:
                match driver.receive(0.5):
                    case msg.Listening():  # before that, whoever reads the address could not connect yet
                        address = f"http://{HostPort(host, port)}"
                        say(f"web UI: {address}\nStart and stop tests there; press Ctrl-C here to end.")
                    case msg.Started() as started:
                        say(recorder.record(started))
        except Interrupted:
            discard(logs)  # an interrupt is the normal end of this command; only after a failure the logs are kept
        except BaseException:
            keep(logs)
            raise
        finally:
            with signals_wait():
                if driver is not None:
                    driver.stop()
                stack.stop()
                left = stack.forget()
                backends.stop()
        if left is not None:
            raise ServiceFailed(left)


@dataclass(frozen=True, slots=True)
class Recorder:
    """Runs the phases of the tests that the user starts in the web UI, and records them."""

    architecture: type[Candidate]
    stack: RunStack
    driver: DriverProcess
    progress: Progress
    watch: LiveMetrics

    def record(self, started: msg.Started) -> str:
        """Run and record one test, and return one line about it for the user."""
        settings = started.settings
        record = Record(Path(settings.out), settings, Path(settings.scenario).stem, self.architecture)
        run = Run(self.stack, record, self.architecture, self.progress, self.watch)

        def go() -> None:
            run.learn_rooms(started.rooms)
            run.go(self.driver)

        try:
            outcome = recorded(run, record, go)
        except ChatbenchError as problem:
            outcome_text = f"record: {record.folder}, failed" if record.folder.exists() else "not recorded"
            self.driver.send(msg.Recorded(folder=None, problem=str(problem), summary=b""))
            return f"{outcome_text}: {problem}"
        self.progress.step("report", "charts and page")
        write_report([outcome.folder], outcome.folder)
        summary = (outcome.folder / "summary.json").read_bytes()
        self.driver.send(msg.Recorded(folder=str(outcome.folder.resolve()), problem=None, summary=summary))
        return f"record: {outcome.folder}"
