"""What a run is made of before its load begins: its backends, its stack, and a driver that is ready."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from architectures.interface import Candidate, Requirements
from harness.core import settings as config
from harness.core.progress import Progress
from harness.core.settings import RunSettings
from harness.core.signals import signals_wait
from harness.core.token import TOKEN_VARIABLE
from harness.gateway.settings import Limits
from harness.ipc import messages as msg
from harness.ipc.driver_settings import DriverSettings
from harness.load.driver_client import DriverProcess
from harness.runs.measurement import Run
from harness.services.backends import NOBODYS, Backends
from harness.services.external import external_services
from harness.services.fleet import FleetOptions
from harness.services.lease import borrow
from harness.services.remote import RemoteStack
from harness.services.run_stack import RunBackends, RunStack
from harness.services.stack import Stack

READY_TIMEOUT_S = 60.0
# Tracing every message took 5 % (2 to 8) of the gateways' CPU time at 100 messages a second to 100 members.
TRACED_ONE_IN_MIN = 3
TRACED_PER_S = 100.0
WORKERS_TIMEOUT_S = 320.0  # more than the driver itself waits for them


def required(settings: RunSettings, architecture: type[Candidate]) -> Requirements:
    """The backends that a run needs: none where it joins gateways that are running already, which have theirs."""
    return Requirements() if settings.gateways_at else architecture.requires


def backends_of(settings: RunSettings, architecture: type[Candidate], logs: Path) -> RunBackends:
    """Backends lent by a `chatbench up` where there are any, else new ones. A run with faults never borrows."""
    requires = required(settings, architecture)
    external = external_services(settings)
    if external == NOBODYS and not settings.faults and requires.any_backend:
        lent = borrow(requires, settings.brokers)
        if lent is not None:
            return lent
    proxied = config.needs_proxies(settings)
    return Backends(requires, settings.brokers, logs, proxied=proxied, external=external)


def traced_one_in(rate_per_s: float) -> int:
    """Which share of messages gateways trace at that rate: one in three, but no more than a hundred a second."""
    return max(TRACED_ONE_IN_MIN, round(rate_per_s / TRACED_PER_S))


def stack_of(
    settings: RunSettings,
    architecture: type[Candidate],
    backends: RunBackends,
    logs: Path,
    limits: Limits,
    *,
    trace_one_in: int = 0,
) -> RunStack:
    """What the load will run against: gateways that are running already, or new ones with these limits."""
    topology = config.topology(settings, architecture, config.new_run_id())
    if settings.gateways_at:
        return RemoteStack(settings.gateways_at, topology, trace_one_in, settings.duration_s)
    options = FleetOptions(tick_s=settings.tick_s, limits=limits, trace_one_in=trace_one_in)
    return Stack(architecture, topology, backends, logs, options)


def await_driver(driver: DriverProcess, settings: RunSettings, progress: Progress) -> msg.Ready:
    """Wait until the driver is ready, and with it all Locust workers that are started elsewhere.

    Raises ServiceFailed if it takes too long.
    """
    if not settings.expect_workers:
        return driver.expect(msg.Ready, READY_TIMEOUT_S, "the driver's start")
    progress.step("workers", f"{settings.expect_workers} Locust workers may join at {settings.master_bind}")
    return driver.expect(msg.Ready, WORKERS_TIMEOUT_S, "the Locust workers' joining")


def show_first_use(progress: Progress, what: str, done: int, total: int) -> None:
    """Show the progress of work that only the very first run has to do, such as downloads."""
    detail = f"{what}: {done} of {total}"
    if done == 0:
        progress.step("once", detail, total=total)
    progress.update(done, detail)


def driver_secrets(settings: RunSettings) -> list[str]:
    """The secret variables that the driver may read: only gateways that are running already may require a token."""
    return [TOKEN_VARIABLE] if settings.gateways_at else []


@contextmanager
def driver_on(
    stack: RunStack, runs: Sequence[Run], given: DriverSettings, progress: Progress
) -> Iterator[DriverProcess]:
    """Start the stack and a driver for these runs, which share them, and yield the driver once it was told to spawn.

    At the end both stop, and each run knows what was left behind. Raises ServiceFailed or UsageError.
    """
    driver: DriverProcess | None = None
    try:
        progress.step("start", stack.starting)
        driver = DriverProcess(given, stack.check, secrets=driver_secrets(given.run))
        stack.begin(partial(show_first_use, progress))
        rooms = await_driver(driver, given.run, progress).rooms
        for run in runs:
            run.learn_rooms(rooms)
        gateways = stack.start()
        driver.send(msg.Spawn(urls=gateways.urls, frames_per_s=gateways.frames_per_s()))
        yield driver
    finally:
        with signals_wait():
            if driver is not None:
                driver.stop()
            stack.stop()
            left_behind = stack.forget()
            for run in runs:
                run.left_behind = left_behind
