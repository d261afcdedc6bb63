"""A Locust worker that the driver starts: `python -m harness.load.worker`, with settings as JSON on standard input."""

from __future__ import annotations

import harness.load.precise_timers  # noqa: F401  # isort: skip - imported for its effect on gevent
import locust  # isort: skip

import logging
import signal
import sys
from collections.abc import Iterable
from pathlib import Path

import locust.env
import msgspec

from harness.core.outermost import run_child
from harness.core.short_slices import ask_for_short_slices
from harness.ipc.driver_settings import WorkerSettings
from harness.load.member_pool import serve_coordinator
from harness.load.scenario import Scenario, load_scenarios


def member_environment(scenarios: Iterable[Scenario]) -> locust.env.Environment:
    """Return an Environment with the members of these scenarios and without a runner."""
    return locust.env.Environment(
        user_classes=[member for scenario in scenarios for member in scenario.members],
        events=locust.events,
        catch_exceptions=False,  # an exception ends the member; otherwise Locust would repeat its task without pause
    )


def main() -> None:
    """Run the worker until its master ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # chatbench decides when this process ends
    ask_for_short_slices()
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
    settings = msgspec.json.decode(sys.stdin.buffer.read(), type=WorkerSettings)
    environment = member_environment(load_scenarios(settings.scenarios))
    try:
        runner = environment.create_worker_runner(settings.master_host, settings.master_port)
    except ConnectionError:
        return  # Locust has tried for five minutes, and no master answered
    serve_coordinator(environment, Path(settings.audience_log))
    runner.greenlet.join()


if __name__ == "__main__":
    run_child(main)
