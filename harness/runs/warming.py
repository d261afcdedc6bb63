"""Warm backends before a comparison, until a message costs them the same CPU time again and again.

A JVM compiles what it runs often, so a broker that has just started takes several times the CPU of one that has been
busy for a while. Without this, whoever is measured first pays for the compiler.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import msgspec

from architectures.interface import Candidate
from harness.core.progress import Progress
from harness.core.registry import find_scenario
from harness.core.settings import RunSettings
from harness.gateway.settings import limits_for
from harness.ipc.driver_settings import DriverSettings
from harness.load.driver_client import DriverProcess
from harness.runs.live_metrics import LiveMetrics
from harness.runs.measurement import Run
from harness.runs.record import Record
from harness.runs.setup import driver_on, stack_of
from harness.services.run_stack import RunBackends

# Few members and many messages: the backends are busy, the gateways and the driver are not.
SCENARIO, MEMBERS, RATE_PER_S = "big_room", 4, 1_000.0
WINDOW_S = 3.0
WINDOWS_ALIKE = 3
FLAT_WITHIN = 0.05
WARMING_MAX_S = 90.0
QUIET_WITHIN = 0.1
QUIET_WINDOWS_MAX = 5


class Warming(msgspec.Struct, frozen=True, kw_only=True):
    """How backends were warmed."""

    architecture: str  # that was run to warm them
    cpu_us_per_message: list[float]  # of the backends, in each window
    idle_cpu_ms_per_s: list[float] = []  # of the backends, in windows without messages after that
    window_s: float = WINDOW_S

    @property
    def is_flat(self) -> bool:
        """Whether the last windows differ by less than 5 %."""
        last = self.cpu_us_per_message[-WINDOWS_ALIKE:]
        return len(last) == WINDOWS_ALIKE and max(last) < (1 + FLAT_WITHIN) * min(last)


def warm(
    backends: RunBackends, architecture: type[Candidate], common: RunSettings, logs: Path, progress: Progress
) -> Warming:
    """Run that architecture under a load of its own until its backends are warm, at most WARMING_MAX_S.

    Nothing is recorded. Raises ServiceFailed, UsageError or Interrupted.
    """
    load = {"scenario": SCENARIO, "members": MEMBERS, "rooms": None, "rate_per_s": RATE_PER_S, "options": ()}
    settings = msgspec.structs.replace(common, arch=architecture.name, faults=(), **load)
    with tempfile.TemporaryDirectory(dir=logs) as scratch:
        record = Record(Path(scratch), settings, SCENARIO, architecture)
        limits = limits_for(settings.rate_per_s, settings.payload_bytes)
        stack = stack_of(settings, architecture, backends, logs, limits)
        run = Run(stack, record, architecture, progress, LiveMetrics())
        given = DriverSettings(run=settings, scenario=str(find_scenario(SCENARIO)), logs=str(logs))
        try:
            with driver_on(stack, [run], given, progress) as driver:
                run.join(driver)
                return _until_quiet(run, driver, _until_flat(run, driver, architecture))
        finally:
            record.close()


def _until_flat(run: Run, driver: DriverProcess, architecture: type[Candidate]) -> Warming:
    warming = Warming(architecture=architecture.name, cpu_us_per_message=[])
    deadline = time.monotonic() + WARMING_MAX_S
    while not warming.is_flat and time.monotonic() + WINDOW_S < deadline:
        used = run.cpu_us_per_message(driver, WINDOW_S)
        spent = sum(cpu_us for component, cpu_us in used.items() if component != "gateway")
        warming = msgspec.structs.replace(warming, cpu_us_per_message=[*warming.cpu_us_per_message, round(spent, 2)])
    return warming


def _until_quiet(run: Run, driver: DriverProcess, warming: Warming) -> Warming:
    """Wait until the compiler has worked off what the load has left to it, which would count as idle cost."""
    idle: list[float] = []
    while len(idle) < QUIET_WINDOWS_MAX and not (len(idle) > 1 and idle[-1] > (1 - QUIET_WITHIN) * idle[-2]):
        used = run.idle_cpu_ms_per_s(driver, WINDOW_S)
        idle.append(round(sum(cpu for component, cpu in used.items() if component != "gateway"), 2))
    return msgspec.structs.replace(warming, idle_cpu_ms_per_s=idle)
