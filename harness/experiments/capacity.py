"""`chatbench capacity`: up to which load architectures hold an objective, from many short runs.

The architectures take turns, so that a slow minute of the machine meets all of them. Each has a load of its own in its
turn, the one that says most about its limit (harness/analysis/holding.py). Every run is kept and shown, including those
that broke. An architecture is done when its limit is known as precisely as was asked, and the search when all are.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

import msgspec

from harness.analysis.holding import RUNS_MIN, Estimate, Trial, holding, is_known, most_informative
from harness.analysis.order import order_of_block
from harness.core import settings as config
from harness.core.errors import Interrupted, ServiceFailed, UsageError
from harness.core.open_files import raise_open_file_limit
from harness.core.progress import CampaignProgress
from harness.core.registry import find_scenario, load_candidate
from harness.core.settings import RunSettings
from harness.core.signals import signals_interrupt
from harness.core.units import duration_text
from harness.core.validation import validate
from harness.experiments.attempt import Attempt, Objective, failed_attempt, judge_attempt
from harness.experiments.plan_file import note, read_again
from harness.experiments.series import WarmBackends, check_arch_options, settings_for
from harness.runs.live_metrics import LiveMetrics, watched
from harness.runs.record import Record, new_folder
from harness.runs.run import run_on
from harness.runs.setup import required
from harness.runs.warming import WARMING_MAX_S, warm
from harness.services.remote import resolve_fleet

FOUND = "capacity.json"
RUNS_MAX = 40  # of one architecture
NEAR = 2.0  # times the lowest load that broke
CLIMB_BACK = 2.0  # from a load that cannot be tried
HOLDS_MIN = 3  # runs at the highest possible load, if no run ever broke
RUN_OVERHEAD_S = 6.0  # about: the start and the end of a run, beside its phases
BUDGET_MAX_S = 86_400.0


class Over(StrEnum):
    """What is raised until the objective breaks. The other one stays as it is in the settings."""

    RATE = "rate"  # messages per second of all members together
    MEMBERS = "members"

    @property
    def unit(self) -> str:
        return "messages/s" if self is Over.RATE else "members"

    @property
    def least(self) -> float:
        return 1.0 if self is Over.RATE else float(config.MEMBERS_MIN)

    @property
    def most(self) -> float:
        return config.RATE_MAX_PER_S if self is Over.RATE else float(config.MEMBERS_MAX)

    def of(self, run: RunSettings | Attempt) -> float:
        """The load of that run."""
        return run.rate_per_s if self is Over.RATE else float(run.members)

    def applied(self, settings: RunSettings, load: float) -> RunSettings:
        if self is Over.RATE:
            return msgspec.structs.replace(settings, rate_per_s=load)
        return msgspec.structs.replace(settings, members=round(load))

    def rounded(self, load: float) -> float:
        """The load with four significant digits: rungs of the ladder stay apart, and one reads them easily."""
        return float(f"{load:.4g}") if self is Over.RATE else float(round(load))


class Capacity(msgspec.Struct, frozen=True, kw_only=True):
    """What was found about one architecture."""

    arch: str
    half: Estimate | None = None  # the load at which one run in two holds; None: none held, or none broke
    sure: Estimate | None = None  # the load at which 95 runs in a hundred hold
    highest_held: float | None = None  # None: no run held
    lowest_broken: float | None = None  # None: no run broke
    limited_by: str | None = None  # what broke first in most runs, so that the architecture may take more
    broke: dict[str, int] = {}  # what broke in the runs that broke, and in how many
    saturated: dict[str, int] = {}  # what was full in them, and in how many
    attempts: list[Attempt] = []

    @property
    def at_least(self) -> bool:
        """Whether the architecture may take more: nothing broke, or the driver or the machine did first."""
        return self.lowest_broken is None or self.limited_by is not None


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
    capacities: list[Capacity] = []
    command: tuple[str, ...] = ()

    def check(self) -> None:
        """Raises UsageError."""
        config.in_range("--slo", self.objective.p99_ms / 1000, 0.001, 60, duration_text)
        config.in_range("--from", self.start, self.over.least, self.over.most)
        config.in_range("--precision", self.precision, 0.01, 1)
        config.in_range("--budget", self.budget_s, 1, BUDGET_MAX_S)
        if len(set(self.architectures)) < len(self.architectures):
            raise UsageError("--arch names an architecture twice; name each once")
        check_arch_options(self.settings, self.architectures)
        for name in self.architectures:
            validate(self.settings_of(name, self.start), load_candidate(name))

    @property
    def fixed(self) -> str:
        """What all runs have in common."""
        rate, members = f"{self.settings.rate_per_s:,g} messages/s", f"{self.settings.members:,} members"
        return f"{self.scenario}, {members if self.over is Over.RATE else rate}"

    @property
    def least_runs(self) -> int:
        return RUNS_MIN * len(self.architectures)

    @property
    def run_s(self) -> float:
        """About how long a run takes."""
        return self.settings.warmup_s + self.settings.duration_s + RUN_OVERHEAD_S

    def settings_of(self, arch: str, load: float) -> RunSettings:
        return self.over.applied(settings_for(self.settings, arch), load)

    def attempts_of(self, arch: str) -> list[Attempt]:
        return next((found.attempts for found in self.capacities if found.arch == arch), [])


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


def find_capacities(search: Search, folder: Path, progress: CampaignProgress) -> Search:
    """Measure until every capacity is known or the budget is used. Raises ServiceFailed, UsageError or Interrupted."""
    raise_open_file_limit()
    logs = folder / "logs"
    logs.mkdir(exist_ok=True)
    go_on_with = f"chatbench capacity --resume {folder}"
    every = [search.settings_of(name, search.start) for name in search.architectures]
    with signals_interrupt(), watched(search.settings.metrics) as watch, WarmBackends(every, logs) as backends:
        try:
            return _Searching(search, folder, progress, backends, watch).go()
        except ServiceFailed as problem:
            raise ServiceFailed(f"{problem}; resume with: {go_on_with}") from problem
        except Interrupted:
            raise Interrupted(f"{folder}; resume with: {go_on_with}") from None


@dataclass(frozen=True, slots=True)
class Bounds:
    """The least and the most that can be tried."""

    least: float
    most: float


def capacity_of(arch: str, attempts: Sequence[Attempt], over: Over = Over.RATE) -> Capacity:
    """The capacity that these attempts show."""
    held = [over.of(attempt) for attempt in attempts if attempt.held]
    broken = [attempt for attempt in attempts if not attempt.held]
    found = Capacity(
        arch=arch,
        highest_held=max(held, default=None),
        lowest_broken=min((over.of(attempt) for attempt in broken), default=None),
        limited_by=_limited_by(broken, over),
        broke=dict(Counter(each for attempt in broken for each in attempt.broke).most_common()),
        saturated=dict(Counter(_component(each) for attempt in broken for each in attempt.saturated).most_common()),
        attempts=list(attempts),
    )
    if not held or not broken:
        return found
    where = holding(_trials(attempts, over))
    return msgspec.structs.replace(found, half=where.half, sure=where.sure)


def next_load(search: Search, attempts: Sequence[Attempt], bounds: Bounds | None = None) -> float | None:
    """The load to try next, which lies between the bounds, or None when enough is known."""
    over = search.over
    least, most = (over.least, over.most) if bounds is None else (bounds.least, bounds.most)
    trials = _trials(attempts, over)
    if len(trials) >= RUNS_MAX or is_known(trials, search.precision):
        return None
    load = over.rounded(most_informative(trials, max(least, min(search.start, most)), least, most))
    again = [trial for trial in trials if trial.load == load]
    if len(again) >= HOLDS_MIN and len({trial.held for trial in trials}) == 1:
        return None  # there is no higher load that may be tried, or no lower one
    return load


def _trials(attempts: Sequence[Attempt], over: Over) -> list[Trial]:
    return [Trial(over.of(attempt), attempt.held) for attempt in attempts]


def _limited_by(broken: Sequence[Attempt], over: Over) -> str | None:
    """What limited most of the runs that broke near the limit, if it was not the architecture.

    Far above it everything is full at once, which says nothing about what was full first.
    """
    lowest = min((over.of(attempt) for attempt in broken), default=0.0)
    limits = Counter(attempt.limited_by for attempt in broken if over.of(attempt) <= NEAR * lowest)
    ours = limits.pop(None, 0)
    if not limits or ours >= limits.total():
        return None
    return limits.most_common(1)[0][0]


def _component(saturated: str) -> str:
    """What was full, without how full."""
    return saturated.partition(" (")[0]


class _Searching:
    """The turns of one search."""

    def __init__(
        self,
        search: Search,
        folder: Path,
        progress: CampaignProgress,
        backends: WarmBackends,
        watch: LiveMetrics,
    ) -> None:
        self._search = search
        # With the shape of gateways that are running already, which the user did not give.
        self._here = msgspec.structs.replace(search, settings=resolve_fleet(search.settings))
        self._folder = folder
        self._progress = progress
        self._backends = backends
        self._watch = watch
        self._attempts = {name: list(search.attempts_of(name)) for name in search.architectures}
        self._bounds = dict.fromkeys(search.architectures, Bounds(search.over.least, search.over.most))
        self._longest_s = search.run_s
        self._is_warm = False

    def go(self) -> Search:
        for name in self._unknown():
            self._warm(name)
        deadline_s = time.monotonic() + self._search.budget_s
        block = max(len(attempts) for attempts in self._attempts.values())
        while self._unknown():
            for name in order_of_block(self._search.architectures, block):
                if (load := self._next_load(name)) is None:
                    continue
                began_s = time.monotonic()
                if began_s + self._longest_s > deadline_s:
                    return self._noted()
                self._warm(name)
                self._try(name, load, block)
                self._longest_s = max(self._longest_s, time.monotonic() - began_s)
            block += 1
        return self._noted()

    def _next_load(self, name: str) -> float | None:
        return next_load(self._search, self._attempts[name], self._bounds[name])

    def _unknown(self) -> list[str]:
        return [name for name in self._search.architectures if self._next_load(name) is not None]

    def _try(self, name: str, load: float, block: int) -> None:
        done = sum(len(attempts) for attempts in self._attempts.values())
        self._progress.run(done, f"{name} at {load:,.10g} {self._search.over.unit}")
        given = self._here.settings_of(name, load)
        settings = msgspec.structs.replace(given, seed=given.seed + block, out=str(self._folder / name))
        architecture, scenario = load_candidate(name), find_scenario(settings.scenario)
        try:
            validate(self._search.settings_of(name, load), architecture)  # as given: the shape of a fleet is not
            record = Record(config.make_out_dir(settings.out), settings, scenario.stem, architecture)
            place = f"{name}/{record.folder.name}"
            backends = self._backends.backends_for(settings)
            outcome = run_on(backends, record, architecture, scenario, self._progress, watch=self._watch)
            attempt = judge_attempt(outcome.summary, settings, self._search.objective, place)
        except UsageError as problem:
            self._leave_out(name, load, problem)
            return
        except ServiceFailed as problem:
            if not any(each.held for each in self._attempts[name]):
                raise
            self._backends.stop()  # whatever is left of them
            self._is_warm = False
            attempt = failed_attempt(settings, f"the run failed: {problem}", place)
        self._attempts[name].append(attempt)
        self._tell()

    def _leave_out(self, name: str, load: float, problem: UsageError) -> None:
        """Try no such load again: there are not files enough for the members, or existing gateways take less of each.

        Raises the problem if there is no other load to try.
        """
        tried = [self._search.over.of(each) for each in self._attempts[name]]
        bounds = self._bounds[name]
        if tried and load > max(tried):
            self._bounds[name] = replace(bounds, most=max(load / CLIMB_BACK, *tried))
        elif tried and load < min(tried):
            self._bounds[name] = replace(bounds, least=min(load * CLIMB_BACK, *tried))
        else:
            raise problem
        self._progress.step("run", f"not tried: {problem}")

    def _warm(self, name: str) -> None:
        """Warm the brokers before the first run that uses them: a cold JVM would break at a lower rate."""
        settings, architecture = self._here.settings_of(name, self._here.start), load_candidate(name)
        starts_brokers = required(settings, architecture).kafka and settings.kafka_bootstrap is None
        if self._is_warm or not starts_brokers:
            return
        self._is_warm = True
        what = "the brokers, until their compiler has little left to do"
        self._progress.aside("warming", what, at_most_s=WARMING_MAX_S)
        backends = self._backends.backends_for(settings)
        warm(backends, architecture, settings, self._folder / "logs", self._progress, max_s=WARMING_MAX_S)

    def _tell(self) -> None:
        """Note what has been found so far, and say how many runs there will be at least."""
        found = self._noted()
        done = sum(len(each.attempts) for each in found.capacities)
        self._progress.expect(done + len(self._unknown()), "; ".join(map(_known, found.capacities)), or_more=True)

    def _noted(self) -> Search:
        over = self._search.over
        capacities = [capacity_of(name, attempts, over) for name, attempts in self._attempts.items()]
        found = msgspec.structs.replace(self._search, capacities=capacities)
        (self._folder / FOUND).write_bytes(msgspec.json.format(msgspec.json.encode(found)))
        return found


def _known(capacity: Capacity) -> str:
    half = capacity.half
    if half is not None:
        return f"{capacity.arch} {half.low:,.0f} to {half.high:,.0f}"
    if capacity.highest_held is not None:
        return f"{capacity.arch} more than {capacity.highest_held:,.10g}"
    if capacity.lowest_broken is not None:
        return f"{capacity.arch} less than {capacity.lowest_broken:,.10g}"
    return f"{capacity.arch} not tried yet"
