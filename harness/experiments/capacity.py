"""`chatbench capacity`: find the highest rate at which the objective holds, with one run for each rate tried.

A coarse ramp doubles the rate until the objective breaks, and bisection narrows the limit down. Then the rate is run
again, because one run that held may have been luck. Every run is kept and shown, including those that broke.
"""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from architectures.interface import Candidate
from harness.core import settings as config
from harness.core.errors import Interrupted, LoadTooFast
from harness.core.hosts import started_by_others
from harness.core.open_files import raise_open_file_limit
from harness.core.progress import Progress
from harness.core.registry import find_scenario
from harness.core.settings import RunSettings
from harness.core.signals import signals_interrupt, signals_wait
from harness.core.units import duration_text
from harness.core.validation import validate
from harness.runs.live_metrics import watched
from harness.runs.record import Record, new_folder
from harness.runs.run import run_on
from harness.runs.setup import required
from harness.runs.summary import Summary
from harness.services.backends import Backends
from harness.services.external import external_services, resolve_brokers
from harness.services.remote import resolve_fleet

FOUND = "capacity.json"
RUNS_MAX = 60
RATE_LEAST_PER_S = 1.0
CONFIDENCE = 0.95
SATURATED = 0.85  # of a core for a process with one busy thread, or of all cores for everything together


class Objective(msgspec.Struct, frozen=True, kw_only=True):
    """What must hold in every run: the p99 of latency, no message lost, all messages sent, and a valid driver."""

    p99_ms: float = 200.0


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """The settings of the search."""

    objective: Objective
    start_per_s: float = 50.0
    precision: float = 0.1
    repeats: int = 3

    def check(self) -> None:
        """Raises UsageError."""
        config.in_range("--slo", self.objective.p99_ms / 1000, 0.001, 60, duration_text)
        config.in_range("--from", self.start_per_s, RATE_LEAST_PER_S, config.RATE_MAX_PER_S)
        config.in_range("--precision", self.precision, 0.01, 1)
        config.in_range("--repeats", self.repeats, 1, 20)


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """One run at one rate."""

    rate_per_s: float
    held: bool
    why: str | None  # what broke, if it did not hold
    p50_ms: float | None
    p99_ms: float | None
    deliveries_per_s: float | None
    driver_valid: bool | None
    saturated: list[str]
    record: str


class Capacity(msgspec.Struct, frozen=True, kw_only=True):
    """The content of capacity.json, which also has `at_least`."""

    arch: str
    scenario: str
    objective: Objective
    precision: float  # the rates that held and broke lie this close together, as a share
    rate_per_s: float | None  # None: not even RATE_LEAST_PER_S held
    held_runs: int  # the number of runs at that rate
    broke_at_per_s: float | None  # the lowest rate that broke; None: no rate did
    broke_why: str | None
    saturated: list[str]  # at the rate that broke
    limited_by_driver: bool  # the driver broke first, so the architecture's capacity may be higher
    settings: RunSettings
    attempts: list[Attempt]

    @property
    def at_least(self) -> bool:
        """Whether the architecture's capacity may be higher: no rate broke, or only the driver was too slow."""
        return self.broke_at_per_s is None or self.limited_by_driver

    @property
    def rate_text(self) -> str:
        """The capacity as text."""
        if self.rate_per_s is None:
            return "unknown" if self.limited_by_driver else "none"
        return f"{'at least ' if self.at_least else ''}{self.rate_per_s:,g} messages/s"

    def answer(self) -> dict[str, Any]:
        """The keys and values of capacity.json."""
        return {**msgspec.structs.asdict(self), "at_least": self.at_least}

    @property
    def held_at_least(self) -> float:
        """A lower bound, with 95 % confidence, for the share of runs at rate_per_s that hold, given that all runs held.

        Source: Clopper and Pearson, The use of confidence or fiducial limits, 1934, for n successes of n.
        """
        return float((1 - CONFIDENCE) ** (1 / self.held_runs)) if self.held_runs else 0.0


def next_rate(
    attempts: Sequence[Attempt],
    start_per_s: float,
    precision: float,
    repeats: int,
    most_per_s: float = config.RATE_MAX_PER_S,
) -> float | None:
    """The rate to try next, or None when the highest rate that holds is known and has held `repeats` times.

    No rate above `most_per_s` is tried: existing gateways may limit what these members may send.
    """
    if not attempts:
        return _rounded(start_per_s)
    good, bad = bracket(attempts)
    if good is None:
        assert bad is not None
        return bad / 2 if bad / 2 >= RATE_LEAST_PER_S else None
    if bad is None and good * 2 <= most_per_s:
        return good * 2
    if bad is not None and bad > good * (1 + precision):
        middle = _rounded(math.sqrt(good * bad))
        if good < middle < bad:
            return middle
    times = sum(attempt.rate_per_s == good for attempt in attempts)
    return good if times < repeats else None


def bracket(attempts: Sequence[Attempt]) -> tuple[float | None, float | None]:
    """The highest rate that held below the lowest rate that broke, and the latter. Each is None if there is none."""
    broken = {attempt.rate_per_s for attempt in attempts if not attempt.held}
    bad = min(broken, default=None)
    good = max((each.rate_per_s for each in attempts if bad is None or each.rate_per_s < bad), default=None)
    return good, bad


def _rounded(rate_per_s: float) -> float:
    """The rate with three significant digits."""
    return float(f"{rate_per_s:.3g}")


def find_capacity(
    settings: RunSettings,
    architecture: type[Candidate],
    plan: Plan,
    progress: Progress,
) -> tuple[Capacity, Path]:
    """Search for the capacity; returns it and its folder. Raises UsageError or ServiceFailed."""
    validate(settings, architecture)
    plan.check()
    settings = resolve_fleet(resolve_brokers(settings))
    scenario = find_scenario(settings.scenario)
    folder = new_folder(config.make_out_dir(settings.out), f"capacity-{settings.arch}-{scenario.stem}")
    logs = folder / "logs"
    logs.mkdir()
    raise_open_file_limit()
    backends = Backends(required(settings, architecture), settings.brokers, logs, external=external_services(settings))
    attempts: list[Attempt] = []
    most_per_s = config.RATE_MAX_PER_S
    with signals_interrupt(), watched(settings.metrics) as watch:
        try:
            while len(attempts) < RUNS_MAX:
                rate_per_s = next_rate(attempts, plan.start_per_s, plan.precision, plan.repeats, most_per_s)
                if rate_per_s is None:
                    break
                progress.step("run", f"{len(attempts) + 1}: {rate_per_s:g} messages/s")
                here = msgspec.structs.replace(
                    settings, rate_per_s=rate_per_s, seed=settings.seed + len(attempts), out=str(folder)
                )
                record = Record(folder, here, scenario.stem, architecture)
                try:
                    outcome = run_on(backends, record, architecture, scenario, progress, watch=watch)
                except LoadTooFast as problem:
                    if not attempts or most_per_s < rate_per_s:
                        raise
                    progress.step("run", f"not tried: {problem}")
                    most_per_s = (
                        rate_per_s / 2
                    )  # the rate that held; if the ramp ends there, the capacity is `at least` this
                    continue
                attempts.append(judge_attempt(outcome.summary, here, plan.objective, record.folder.name))
                found = capacity_of(settings, plan, attempts, scenario.stem)
                (folder / FOUND).write_bytes(msgspec.json.format(msgspec.json.encode(found.answer())))
        except Interrupted:
            raise Interrupted(str(folder)) from None
        finally:
            with signals_wait():
                backends.stop()
    return found, folder


def judge_attempt(summary: Summary, settings: RunSettings, objective: Objective, record: str) -> Attempt:
    """Whether the objective held in that run, and what was saturated."""
    p99_ms, lost = summary.latency_ms.p99, summary.lost or 0
    valid = summary.driver.valid
    broken = [
        *([] if p99_ms is None or p99_ms <= objective.p99_ms else [f"p99 was {p99_ms:,.0f} ms"]),
        *([] if lost == 0 else [f"{lost:,} deliveries were lost"]),
        *_lost_connections(summary),
        *([] if summary.use.is_most else [str(summary.use)]),
        *([] if valid else ["the driver was not valid"]),
        *([] if summary.delivered else ["no message was delivered"]),
    ]
    return Attempt(
        rate_per_s=settings.rate_per_s,
        held=not broken,
        why="; ".join(broken) or None,
        p50_ms=summary.latency_ms.p50,
        p99_ms=p99_ms,
        deliveries_per_s=summary.deliveries_per_s,
        driver_valid=valid,
        saturated=saturated(summary, settings),
        record=record,
    )


def _lost_connections(summary: Summary) -> list[str]:
    """Connections that broke: without faults, the cause is the load. Unread messages of such members are not lost."""
    cut_off = (summary.gateway_counts or {}).get("cut_off_slow", 0)  # a slow member may not have noticed yet
    others = (summary.disconnects or 0) - cut_off
    return [
        *([f"{cut_off:,} members were disconnected because they read too slowly"] if cut_off else []),
        *([f"{others:,} connections broke"] if others > 0 else []),
    ]


def saturated(summary: Summary, settings: RunSettings) -> list[str]:
    """The processes without CPU time to spare, the busiest first."""
    used = summary.cores_used or {}
    cores = os.cpu_count() or 1
    # A gateway, a Locust process, an audience and Redis have one busy thread each. A JVM has many.
    each = {name: cores_used / (summary.gateways if name == "gateway" else 1) for name, cores_used in used.items()}
    busy = {name: share for name, share in each.items() if name != "kafka" and share >= SATURATED}
    names = [f"{name} ({share:.0%} of a core)" for name, share in sorted(busy.items(), key=lambda item: -item[1])]
    total = sum(used.values())
    if total >= SATURATED * cores and not started_by_others(settings):  # otherwise some may run on another host
        most = max(used, key=lambda name: used[name])
        names.append(f"the machine ({total:.1f} of {cores} cores, most by {most})")
    return names


def capacity_of(settings: RunSettings, plan: Plan, attempts: list[Attempt], scenario: str) -> Capacity:
    """The capacity that these attempts show."""
    good, bad = bracket(attempts)
    broke = [attempt for attempt in attempts if attempt.rate_per_s == bad and not attempt.held]
    return Capacity(
        arch=settings.arch,
        scenario=scenario,
        objective=plan.objective,
        precision=plan.precision,
        rate_per_s=good,
        held_runs=sum(attempt.rate_per_s == good for attempt in attempts),
        broke_at_per_s=bad,
        broke_why=broke[0].why if broke else None,
        saturated=broke[0].saturated if broke else [],
        limited_by_driver=bool(broke) and all(not attempt.driver_valid for attempt in broke),
        settings=settings,
        attempts=attempts,
    )
