"""`chatbench capacity`: up to which load architectures hold an objective, from many short runs.

This is the plan of a search, what it finds, and the load that is to be tried next. The runs are made in searching.py.
"""

from __future__ import annotations

import math
import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import msgspec

from architectures.interface import Role
from harness.analysis.holding import RUNS_MIN, Estimate, Trial, holding, is_known, most_informative
from harness.core import settings as config
from harness.core.errors import UsageError
from harness.core.registry import load_candidate
from harness.core.settings import RunSettings
from harness.core.units import duration_text
from harness.core.validation import validate, validate_load
from harness.experiments.attempt import Attempt, Objective
from harness.experiments.axis import Bounds, Over, members_per_room, rate_per_room
from harness.experiments.contestants import Contestant, contestants_of
from harness.experiments.plan_file import note, read_again
from harness.experiments.scaling import Scaling, scaling_of
from harness.experiments.series import check_arch_options, settings_for
from harness.runs.record import new_folder

FOUND = "capacity.json"
PRECISION_MIN = 0.07  # the loads that are tried are too far apart to tell more
RUNS_MAX = 40  # of one architecture
NEAR = 2.0  # times the limit, or a part of it
HOLDS_MIN = 3  # runs at the highest possible load, if no run ever broke
RUN_OVERHEAD_S = 6.0  # about: the start and the end of a run, beside its phases
BUDGET_MAX_S = 86_400.0


class Capacity(msgspec.Struct, frozen=True, kw_only=True):
    """What was found about one architecture."""

    arch: str
    gateways: int | None = None  # None: those of the settings, for their number is not compared
    half: Estimate | None = None  # the load at which one run in two holds; None: none held, or none broke
    sure: Estimate | None = None  # the load at which 95 runs in a hundred hold
    highest_held: float | None = None  # None: no run held
    lowest_broken: float | None = None  # None: no run broke
    limited_by: str | None = None  # what was the limit in most runs that broke near it, instead of the architecture
    at_least: bool = False  # whether it may take more: nothing broke, or something else did first
    broken_runs: int = 0  # without those that do not count, because the driver had too few processes
    broke: dict[str, int] = {}  # what broke in the runs that broke, and in how many
    saturated: dict[str, int] = {}  # what was full in them, and in how many
    attempts: list[Attempt] = []

    @property
    def contestant(self) -> Contestant:
        return Contestant(self.arch, self.gateways)


class Search(msgspec.Struct, frozen=True, kw_only=True):
    """The content of capacity.json: the plan, and what has been found so far."""

    architectures: tuple[str, ...]
    scenario: str  # its name
    objective: Objective
    over: Over = Over.RATE
    start: float  # the load of each architecture's first run
    precision: float  # the half-width of the interval of `half` to stop at, as a share
    budget_s: float  # of measuring, without the warming of brokers; a run that would not end in it is not begun
    settings: RunSettings  # of every run, except arch, its load, seed and out
    gateways: tuple[int, ...] = ()  # the numbers of gateways that are compared; empty: those of the settings
    more_processes: bool = False  # of the driver, beyond those of the settings, where it is full
    capacities: list[Capacity] = []
    scalings: list[Scaling] = []  # of each architecture, if numbers of gateways are compared
    command: tuple[str, ...] = ()

    def check(self) -> None:
        """Raises UsageError."""
        validate_load(self.settings)
        config.in_range("--slo", self.objective.p99_ms / 1000, 0.001, 60, duration_text)
        if self.over is Over.ROOMS and self.settings.rooms is None:
            raise UsageError(
                "--over rooms needs --rooms: the number of rooms that have these --members and this --rate"
            )
        config.in_range("--from", self.start, self.bounds.least, self.bounds.most)
        config.in_range("--precision", self.precision, PRECISION_MIN, 1)
        config.in_range("--budget", self.budget_s, math.ceil(self.run_s), BUDGET_MAX_S, duration_text)
        if len(set(self.architectures)) < len(self.architectures):
            raise UsageError("--arch names an architecture twice; name each once")
        if len(set(self.gateways)) < len(self.gateways):
            raise UsageError("--gateways names a number twice; name each once")
        check_arch_options(self.settings, self.architectures)
        for each in self.contestants:
            validate(self.settings_of(each, self.start), load_candidate(each.arch))

    @property
    def contestants(self) -> list[Contestant]:
        return contestants_of(self.architectures, self.gateways)

    @property
    def bounds(self) -> Bounds:
        return self.over.bounds(self.settings)

    @property
    def fixed(self) -> str:
        """What all runs have in common."""
        given, over = self.settings, self.over
        gateways = "" if given.gateways is None else f", {given.gateways} gateway{'' if given.gateways == 1 else 's'}"
        if over is Over.ROOMS:
            load = f"{members_per_room(given):,g} members and {rate_per_room(given):,g} messages/s in each room"
        elif over is Over.MEMBERS:
            load = f"{given.rate_per_s:,g} messages/s"
        else:
            load = f"{given.members:,} members"
        return f"{self.scenario}, {load}{gateways}"

    @property
    def least_runs(self) -> int:
        return RUNS_MIN * len(self.contestants)

    @property
    def run_s(self) -> float:
        """About how long a run takes."""
        return self.settings.warmup_s + self.settings.duration_s + RUN_OVERHEAD_S

    @property
    def least_s(self) -> float:
        """About how long a search takes at the least, if every limit is to be known as precisely as was asked."""
        return self.least_runs * self.run_s

    def settings_of(self, contestant: Contestant, load: float) -> RunSettings:
        settings = self.over.applied(settings_for(self.settings, contestant.arch), load)
        if contestant.gateways is not None:
            return msgspec.structs.replace(settings, gateways=contestant.gateways)
        if len(self.architectures) > 1 and load_candidate(contestant.arch).role is Role.FLOOR:
            settings = msgspec.structs.replace(settings, gateways=None)  # it has one, however many the others have
        return settings

    def attempts_of(self, contestant: Contestant) -> list[Attempt]:
        return next((found.attempts for found in self.capacities if found.contestant == contestant), [])

    def on(self, gateways: int) -> Search:
        """The part of the search that was made on that number of gateways."""
        return msgspec.structs.replace(
            self,
            over=Over.RATE,
            gateways=(),
            settings=msgspec.structs.replace(self.settings, gateways=gateways),
            capacities=[found for found in self.capacities if found.gateways == gateways],
            scalings=[],
        )

    def with_found(self, capacities: Sequence[Capacity]) -> Search:
        """The same search, with what has been found so far."""
        scalings = _scalings(capacities) if self.over is Over.GATEWAYS else []
        return msgspec.structs.replace(self, capacities=list(capacities), scalings=scalings)


def begin(search: Search) -> tuple[Search, Path]:
    """Make the folder of a new search, and note the search there; raises UsageError if it is not valid."""
    search.check()
    out = config.make_out_dir(search.settings.out)
    one = f"{search.architectures[0]}-" if len(search.architectures) == 1 else ""
    folder = new_folder(out, f"capacity-{one}{search.scenario}")
    return note(folder, FOUND, search), folder


def resume(folder: Path) -> Search:
    """The search in that folder, with what it has found; raises UsageError if there is none."""
    search = read_again(folder, FOUND, Search, "capacity")
    search.check()
    return search


def capacity_of(
    arch: str, attempts: Sequence[Attempt], over: Over = Over.RATE, gateways: int | None = None
) -> Capacity:
    """The capacity that these attempts show."""
    held = [over.of(attempt) for attempt in attempts if attempt.held]
    broken = [attempt for attempt in counted(attempts) if not attempt.held]
    where = holding(_trials(attempts, over)) if held and broken else None
    limited_by = _limited_by(broken, over, None if where is None else where.half.value)
    return Capacity(
        arch=arch,
        gateways=gateways,
        half=None if where is None else where.half,
        sure=None if where is None else where.sure,
        highest_held=max(held, default=None),
        lowest_broken=min((over.of(attempt) for attempt in broken), default=None),
        limited_by=limited_by,
        at_least=not broken or limited_by is not None,
        broken_runs=len(broken),
        broke=dict(Counter(each for attempt in broken for each in attempt.broke).most_common()),
        saturated=dict(Counter(_component(each) for attempt in broken for each in attempt.saturated).most_common()),
        attempts=list(attempts),
    )


def next_load(search: Search, attempts: Sequence[Attempt], bounds: Bounds | None = None) -> float | None:
    """The load to try next, which lies between the bounds, or None when enough is known."""
    over, bounds = search.over, bounds or search.bounds
    least, most = bounds.least, bounds.most
    trials = _trials(attempts, over)
    if len(trials) >= RUNS_MAX or is_known(trials, search.precision):
        return None
    load = over.rounded(most_informative(trials, max(least, min(search.start, most)), least, most))
    again = [trial for trial in trials if trial.load == load]
    if len(again) >= HOLDS_MIN and len({trial.held for trial in trials}) == 1:
        return None  # there is no higher load that may be tried, or no lower one
    return load


def next_processes(search: Search, attempts: Sequence[Attempt]) -> int:
    """How many processes of the driver the next run has: one more after a run in which one was full."""
    most = max([search.settings.processes, *(attempt.processes for attempt in attempts)])
    full = any(attempt.processes == most and attempt.needs_processes for attempt in attempts)
    return min(most + 1, os.cpu_count() or 1, config.PROCESSES_MAX) if full and search.more_processes else most


def counted(attempts: Sequence[Attempt]) -> list[Attempt]:
    """The runs that count: not those in which the driver was full, once it has more processes."""
    most = max((attempt.processes for attempt in attempts), default=1)
    return [attempt for attempt in attempts if attempt.processes == most or not attempt.needs_processes]


def _trials(attempts: Sequence[Attempt], over: Over) -> list[Trial]:
    return [Trial(over.of(attempt), attempt.held) for attempt in counted(attempts)]


def _limited_by(broken: Sequence[Attempt], over: Over, limit: float | None) -> str | None:
    """What limited most of the runs that broke near the limit, if it was not the architecture.

    Far above it everything is full at once, which says nothing about what was full first; and a run that broke far
    below it was out of luck. If no run held, the limit is not known, and the lowest load that broke stands for it.
    """
    middle = min((over.of(attempt) for attempt in broken), default=0.0) if limit is None else limit
    near = [attempt for attempt in broken if middle / NEAR <= over.of(attempt) <= middle * NEAR]
    limits = Counter(attempt.limited_by for attempt in near or broken)
    ours = limits.pop(None, 0)
    if not limits or ours >= limits.total():
        return None
    return limits.most_common(1)[0][0]


def _scalings(capacities: Sequence[Capacity]) -> list[Scaling]:
    """How the limit of each architecture grows with its gateways, in the order of their first capacities."""
    found = []
    for arch in dict.fromkeys(each.arch for each in capacities):
        ours = [each for each in capacities if each.arch == arch and each.gateways is not None]
        own = {each.gateways or 0: each.half for each in ours if each.half is not None and not each.at_least}
        found.append(scaling_of(arch, own, [each.gateways or 0 for each in ours if each.gateways not in own]))
    return found


def _component(saturated: str) -> str:
    """What was full, without how full."""
    return saturated.partition(" (")[0]
