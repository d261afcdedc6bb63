"""Warm backends before a comparison, until their compiler has little left to do.

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
from harness.runs.measurement import Observed, Run
from harness.runs.record import Record
from harness.runs.setup import driver_on, stack_of
from harness.services.run_stack import RunBackends

# Few members and many messages: the backends are busy, the gateways and the driver are not.
SCENARIO, MEMBERS, RATE_PER_S = "big_room", 4, 1_000.0
WINDOW_S = 3.0
WINDOWS_ALIKE = 3
FLAT_COMPILER_SHARE = 0.05  # of the backends' CPU time, in WINDOWS_ALIKE windows together
FLAT_WITHIN = 0.05  # where the compiler's threads cannot be told from others
WARMING_MAX_S = 90.0  # unless --jvm-warmup says otherwise
QUIET_COMPILER_MS_PER_S = 2.0
QUIET_WITHIN = 0.1  # where they cannot be told either
QUIET_WINDOWS_MAX = 5


class Warming(msgspec.Struct, frozen=True, kw_only=True):
    """How backends were warmed."""

    architecture: str  # that was run to warm them
    cpu_us_per_message: list[float]  # of the backends, in each window
    compiler_share: list[float | None] = []  # of this CPU time, in each window; null: /proc does not tell
    idle_cpu_ms_per_s: list[float] = []  # of the backends, in windows without messages after that
    idle_compiler_ms_per_s: list[float | None] = []  # of this CPU time, in each of these windows
    window_s: float = WINDOW_S

    @property
    def is_flat(self) -> bool:
        """Whether the compiler has little left to do; where it cannot be seen, whether the last windows are alike.

        The CPU time of a message also changes with the machine's speed, which says nothing about the backends.
        """
        last, shares = self.cpu_us_per_message[-WINDOWS_ALIKE:], self.compiler_share[-WINDOWS_ALIKE:]
        if len(last) < WINDOWS_ALIKE:
            return False
        if known := [share for share in shares if share is not None]:
            return sum(known) / len(known) < FLAT_COMPILER_SHARE
        return max(last) < (1 + FLAT_WITHIN) * min(last)

    @property
    def is_quiet(self) -> bool:
        """Whether the compiler is idle; where it cannot be seen, whether idle windows have stopped falling."""
        if self.idle_compiler_ms_per_s and (compiler := self.idle_compiler_ms_per_s[-1]) is not None:
            return compiler < QUIET_COMPILER_MS_PER_S
        *_, before, last = [0.0, 0.0, *self.idle_cpu_ms_per_s]
        return len(self.idle_cpu_ms_per_s) > 1 and last > (1 - QUIET_WITHIN) * before


def warm(
    backends: RunBackends,
    architecture: type[Candidate],
    settings: RunSettings,
    logs: Path,
    progress: Progress,
    *,
    max_s: float,
) -> Warming:
    """Run that architecture under a load of its own until its backends are warm, for at most `max_s` and a few seconds.

    `settings` are those of one of its runs: what only other architectures know, such as their options, is not there.
    Nothing is recorded. Raises ServiceFailed, UsageError or Interrupted.
    """
    load = {"scenario": SCENARIO, "members": MEMBERS, "rooms": None, "rate_per_s": RATE_PER_S, "options": ()}
    settings = msgspec.structs.replace(settings, faults=(), **load)
    with tempfile.TemporaryDirectory(dir=logs) as scratch:
        record = Record(Path(scratch), settings, SCENARIO, architecture)
        limits = limits_for(settings.rate_per_s, settings.payload_bytes)
        stack = stack_of(settings, architecture, backends, logs, limits)
        run = Run(stack, record, architecture, progress, LiveMetrics())
        given = DriverSettings(run=settings, scenario=str(find_scenario(SCENARIO)), logs=str(logs))
        try:
            with driver_on(stack, [run], given, progress) as driver:
                run.join(driver)
                return _until_quiet(run, driver, _until_flat(run, driver, architecture, max_s))
        finally:
            record.close()


def _until_flat(run: Run, driver: DriverProcess, architecture: type[Candidate], max_s: float) -> Warming:
    warming = Warming(architecture=architecture.name, cpu_us_per_message=[])
    deadline = time.monotonic() + max_s
    while not warming.is_flat and time.monotonic() < deadline:
        seen = run.observe_load(driver, WINDOW_S)
        spent_us = 1_000 * _backends_ms_per_s(seen) * seen.duration_s / max(1, seen.sent)
        warming = msgspec.structs.replace(
            warming,
            cpu_us_per_message=[*warming.cpu_us_per_message, round(spent_us, 2)],
            compiler_share=[*warming.compiler_share, _compiler_share(seen)],
        )
    return warming


def _until_quiet(run: Run, driver: DriverProcess, warming: Warming) -> Warming:
    """Wait until the compiler has worked off what the load has left to it, which would count as idle cost."""
    while len(warming.idle_cpu_ms_per_s) < QUIET_WINDOWS_MAX and not warming.is_quiet:
        seen = run.observe_idle(driver, WINDOW_S)
        compiler = seen.compiler_ms_per_s
        warming = msgspec.structs.replace(
            warming,
            idle_cpu_ms_per_s=[*warming.idle_cpu_ms_per_s, round(_backends_ms_per_s(seen), 2)],
            idle_compiler_ms_per_s=[
                *warming.idle_compiler_ms_per_s,
                None if compiler is None else round(compiler, 2),
            ],
        )
    return warming


def _backends_ms_per_s(seen: Observed) -> float:
    return sum(used for component, used in seen.cpu_ms_per_s.items() if component != "gateway")


def _compiler_share(seen: Observed) -> float | None:
    compiler, backends = seen.compiler_ms_per_s, _backends_ms_per_s(seen)
    return None if compiler is None or backends == 0 else round(compiler / backends, 3)
