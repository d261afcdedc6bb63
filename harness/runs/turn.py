"""A turn of one architecture in a comparison: it starts once, and is measured idle and under each load.

services and driver start -> members join -> probe -> warm-up -> measure at the first rate -> idle
  -> measure at the other rates -> everything stops

So idle is measured when the start is some seconds ago, and between the loads that it is compared with. With one rate it
comes before the load, after which a fault or the scenario may leave nobody.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

from architectures.interface import Candidate
from harness.core.errors import UsageError
from harness.core.progress import Progress
from harness.gateway.settings import limits_for
from harness.ipc.driver_settings import DriverSettings
from harness.load.driver_client import DriverProcess
from harness.runs.live_metrics import LiveMetrics
from harness.runs.measurement import Conditions, Observed, Run
from harness.runs.record import Record
from harness.runs.run import Outcome, recorded
from harness.runs.setup import driver_on, stack_of, traced_one_in
from harness.services.run_stack import RunBackends
from harness.services.speed_probe import SpeedProbe


@dataclass(frozen=True, slots=True)
class Turn:
    """The runs of one architecture in one block. Their settings differ in the rate only."""

    architecture: type[Candidate]
    scenario: Path
    records: Sequence[Record]  # one for each rate
    idle_s: float

    @property
    def rates_per_s(self) -> list[float]:
        return [record.settings.rate_per_s for record in self.records]


def run_turn(turn: Turn, backends: RunBackends, progress: Progress) -> list[Outcome]:
    """Measure and record every run of the turn, on backends that are left running. Call it in signals_interrupt().

    If one of the runs fails, so do all, because they share their members. Raises as run_once.
    """
    first = turn.records[0]
    settings = first.settings
    limits = limits_for(max(turn.rates_per_s), settings.payload_bytes)
    trace_one_in = traced_one_in(max(turn.rates_per_s))
    stack = stack_of(settings, turn.architecture, backends, first.logs, limits, trace_one_in=trace_one_in)
    if cluster := stack.external_settings():
        for record in turn.records:
            record.note_cluster(cluster)
    speed = SpeedProbe(first.logs)
    runs = [Run(stack, record, turn.architecture, progress, LiveMetrics(), speed=speed) for record in turn.records]
    # It says nothing about gateways on other machines.
    beside = nullcontext() if settings.gateways_at else speed

    def start_and_go() -> None:
        given = DriverSettings(run=settings, scenario=str(turn.scenario), logs=str(first.logs))
        with driver_on(stack, runs, given, progress) as driver, beside:
            idle = _measure(turn, runs, driver)
        conditions = Conditions(idle.cpu_ms_per_s, idle.compiler_ms_per_s, idle.slowness_ms)
        for run in runs:
            run.conditions = conditions

    return _all_recorded(list(zip(runs, turn.records, strict=True)), start_and_go)


def _measure(turn: Turn, runs: Sequence[Run], driver: DriverProcess) -> Observed:
    """Take the members through all phases; returns what was used while nobody sent."""
    times = [rate / turn.rates_per_s[0] for rate in turn.rates_per_s]
    runs[0].join(driver)
    runs[0].warm_up(driver, max(times))
    if len(runs) == 1:
        idle = runs[0].observe_idle(driver, turn.idle_s)
        runs[0].measure(driver)
        return idle
    runs[0].measure(driver)
    _check_that_members_are_left(runs)
    idle = runs[0].observe_idle(driver, turn.idle_s)
    for run, rate_scale in zip(runs[1:], times[1:], strict=True):
        _check_that_members_are_left(runs)
        run.measure(driver, rate_scale)
    return idle


def _check_that_members_are_left(runs: Sequence[Run]) -> None:
    if any(each.load_ended for each in runs):
        raise UsageError(
            "the scenario has ended the load at one rate, so that no members are left for the next; "
            "compare one --rate at a time"
        )


def _all_recorded(runs: Sequence[tuple[Run, Record]], go: Callable[[], None]) -> list[Outcome]:
    """As `recorded`, for runs that `go` measures together."""
    outcomes: list[Outcome] = []

    def record_rest(rest: Sequence[tuple[Run, Record]]) -> None:
        if not rest:
            go()
            return
        (run, record), *others = rest
        outcomes.append(recorded(run, record, lambda: record_rest(others)))

    record_rest(runs)
    return outcomes[::-1]  # the innermost is recorded first
