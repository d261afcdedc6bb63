"""A Locust worker of the driver's: `python -m harness.load.worker PORT NUMBER`, with the port of its master."""

from __future__ import annotations

import locust  # isort: skip

import logging
import signal
import sys
from collections.abc import Iterable
from pathlib import Path

import locust.env
import msgspec

from harness.load.crowd import serve_coordinator
from harness.load.driver_settings import DriverSettings
from harness.load.scenario import Scenario, load_scenarios


def member_environment(scenarios: Iterable[Scenario]) -> locust.env.Environment:
    """An Environment that knows the members of these scenarios, without a runner yet."""
    return locust.env.Environment(
        user_classes=[member for scenario in scenarios for member in scenario.members],
        events=locust.events,
        catch_exceptions=False,  # an exception ends the member instead of repeating without pause
    )


def main() -> None:
    """Settings as JSON on standard input."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # chatbench decides when it ends
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
    port, number = sys.argv[1:]
    settings = msgspec.json.decode(sys.stdin.buffer.read(), type=DriverSettings)
    paths = [settings.scenario] if settings.web is None else settings.web.scenarios
    environment = member_environment(load_scenarios(paths))
    runner = environment.create_worker_runner("127.0.0.1", int(port))
    serve_coordinator(environment, settings.scenario, Path(settings.logs) / f"audience-{number}.log")
    runner.greenlet.join()


if __name__ == "__main__":
    main()
