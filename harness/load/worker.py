"""A Locust worker of the driver's: `python -m harness.load.worker`, settings as JSON on standard input."""

from __future__ import annotations

import locust  # isort: skip

import logging
import signal
import sys
from collections.abc import Iterable
from pathlib import Path

import locust.env
import msgspec

from harness.core.outermost import run_child
from harness.ipc.driver_settings import WorkerSettings
from harness.load.member_pool import serve_coordinator
from harness.load.scenario import Scenario, load_scenarios


def member_environment(scenarios: Iterable[Scenario]) -> locust.env.Environment:
    """An Environment that knows the members of these scenarios, without a runner yet."""
    return locust.env.Environment(
        user_classes=[member for scenario in scenarios for member in scenario.members],
        events=locust.events,
        catch_exceptions=False,  # an exception ends the member instead of repeating without pause
    )


def main() -> None:
    """Ends when its master does."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # chatbench decides when it ends
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
    settings = msgspec.json.decode(sys.stdin.buffer.read(), type=WorkerSettings)
    environment = member_environment(load_scenarios(settings.scenarios))
    try:
        runner = environment.create_worker_runner(settings.master_host, settings.master_port)
    except ConnectionError:
        return  # nobody there yet, after Locust's five minutes of asking
    serve_coordinator(environment, Path(settings.audience_log))
    runner.greenlet.join()


if __name__ == "__main__":
    run_child(main)
