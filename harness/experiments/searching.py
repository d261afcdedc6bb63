"""The turns of a search for capacities: which architecture is tried next, at which load, on warm backends.

The architectures take turns, so that a slow minute of the machine meets all of them. Where numbers of gateways are
compared, each architecture has a turn on each of them. Each has a load of its own in its turn, the one that says most
about its limit (harness/analysis/holding.py). Every run is kept and noted, including those that broke. An architecture
is done when its limit is known as precisely as was asked, and the search when all are.
"""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import msgspec

from harness.analysis.order import order_of_block
from harness.core import settings as config
from harness.core.errors import Interrupted, ServiceFailed, UsageError
from harness.core.open_files import raise_open_file_limit
from harness.core.progress import CampaignProgress
from harness.core.registry import find_scenario, load_candidate
from harness.core.signals import signals_interrupt
from harness.core.validation import validate
from harness.experiments.attempt import failed_attempt, judge_attempt
from harness.experiments.capacity import FOUND, Capacity, Search, capacity_of, next_load, next_processes
from harness.experiments.contestants import Contestant
from harness.experiments.series import WarmBackends
from harness.runs.live_metrics import LiveMetrics, watched
from harness.runs.record import Record
from harness.runs.run import run_on
from harness.runs.setup import required
from harness.runs.warming import WARMING_MAX_S, warm
from harness.services.remote import resolve_fleet

CLIMB_BACK = 2.0  # from a load that cannot be tried
NAMED_MAX = 8  # limits that are told after each run; of more, only how many are known


def find_capacities(search: Search, folder: Path, progress: CampaignProgress) -> Search:
    """Measure until every capacity is known or the budget is used. Raises ServiceFailed, UsageError or Interrupted."""
    raise_open_file_limit()
    logs = folder / "logs"
    logs.mkdir(exist_ok=True)
    go_on_with = f"chatbench capacity --resume {folder}"
    every = [search.settings_of(each, search.start) for each in search.contestants]
    with signals_interrupt(), watched(search.settings.metrics) as watch, WarmBackends(every, logs) as backends:
        try:
            return _Searching(search, folder, progress, backends, watch).go()
        except ServiceFailed as problem:
            raise ServiceFailed(f"{problem}; resume with: {go_on_with}") from problem
        except Interrupted:
            raise Interrupted(f"{folder}; resume with: {go_on_with}") from None


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
        self._attempts = {each: list(search.attempts_of(each)) for each in search.contestants}
        self._bounds = dict.fromkeys(search.contestants, search.bounds)
        self._longest_s = search.run_s
        self._is_warm = False

    def go(self) -> Search:
        for contestant in self._unknown():
            self._warm(contestant)
        deadline_s = time.monotonic() + self._search.budget_s
        block = max(len(attempts) for attempts in self._attempts.values())
        while self._unknown():
            for contestant in order_of_block(self._search.contestants, block):
                if (load := self._next_load(contestant)) is None:
                    continue
                deadline_s += self._warm(contestant)
                began_s = time.monotonic()
                if began_s + self._longest_s > deadline_s:
                    return self._noted()
                self._try(contestant, load, block)
                self._longest_s = max(self._longest_s, time.monotonic() - began_s)
            block += 1
        return self._noted()

    def _next_load(self, contestant: Contestant) -> float | None:
        return next_load(self._search, self._attempts[contestant], self._bounds[contestant])

    def _unknown(self) -> list[Contestant]:
        return [contestant for contestant in self._search.contestants if self._next_load(contestant) is not None]

    def _try(self, contestant: Contestant, load: float, block: int) -> None:
        done = sum(len(attempts) for attempts in self._attempts.values())
        self._progress.run(done, f"{contestant} at {load:,.10g} {self._search.over.unit}")
        given = self._here.settings_of(contestant, load)
        processes = next_processes(self._search, self._attempts[contestant])
        settings = msgspec.structs.replace(
            given, processes=processes, seed=given.seed + block, out=str(self._folder / contestant.folder)
        )
        architecture, scenario = load_candidate(contestant.arch), find_scenario(settings.scenario)
        try:
            validate(self._search.settings_of(contestant, load), architecture)  # as given: the shape of a fleet is not
            record = Record(config.make_out_dir(settings.out), settings, scenario.stem, architecture)
            place = f"{contestant.folder}/{record.folder.name}"
            backends = self._backends.backends_for(settings)
            outcome = run_on(backends, record, architecture, scenario, self._progress, watch=self._watch)
            attempt = judge_attempt(outcome.summary, settings, self._search.objective, place)
        except UsageError as problem:
            self._leave_out(contestant, load, problem)
            return
        except ServiceFailed as problem:
            if not any(each.held for each in self._attempts[contestant]):
                raise
            self._backends.stop()  # whatever is left of them
            self._is_warm = False
            attempt = failed_attempt(settings, f"the run failed: {problem}", place)
        self._attempts[contestant].append(attempt)
        if (more := next_processes(self._search, self._attempts[contestant])) > processes:
            full = f"the driver was full ({attempt.full_process})"
            self._progress.step("run", f"{full}; for {contestant} it has {more} processes from now on")
        self._tell()

    def _leave_out(self, contestant: Contestant, load: float, problem: UsageError) -> None:
        """Try no such load again: there are not files enough for the members, or existing gateways take less of each.

        Raises the problem if there is no other load to try.
        """
        tried = [self._search.over.of(each) for each in self._attempts[contestant]]
        bounds = self._bounds[contestant]
        if tried and load > max(tried):
            self._bounds[contestant] = replace(bounds, most=max(load / CLIMB_BACK, *tried))
        elif tried and load < min(tried):
            self._bounds[contestant] = replace(bounds, least=min(load * CLIMB_BACK, *tried))
        else:
            raise problem
        self._progress.step("run", f"not tried: {problem}")

    def _warm(self, contestant: Contestant) -> float:
        """Warm the brokers before the first run that uses them: a cold JVM would break at a lower rate.

        Returns how long that took, in seconds.
        """
        began_s = time.monotonic()
        settings, architecture = self._here.settings_of(contestant, self._here.start), load_candidate(contestant.arch)
        starts_brokers = required(settings, architecture).kafka and settings.kafka_bootstrap is None
        if self._is_warm or not starts_brokers:
            return 0.0
        self._is_warm = True
        what = "the brokers, until their compiler has little left to do"
        self._progress.aside("warming", what, at_most_s=WARMING_MAX_S)
        backends = self._backends.backends_for(settings)
        warm(backends, architecture, settings, self._folder / "logs", self._progress, max_s=WARMING_MAX_S)
        return time.monotonic() - began_s

    def _tell(self) -> None:
        """Note what has been found so far, and say how many runs there will be at least."""
        found = self._noted()
        done = sum(len(each.attempts) for each in found.capacities)
        unknown, all_of_them = len(self._unknown()), len(found.capacities)
        few = all_of_them <= NAMED_MAX
        known = "; ".join(map(_known, found.capacities)) if few else f"{all_of_them - unknown} of {all_of_them} limits"
        self._progress.expect(done + unknown, known, or_more=True)

    def _noted(self) -> Search:
        over = self._search.over
        found = self._search.with_found(
            [capacity_of(each.arch, attempts, over, each.gateways) for each, attempts in self._attempts.items()]
        )
        (self._folder / FOUND).write_bytes(msgspec.json.format(msgspec.json.encode(found)))
        return found


def _known(capacity: Capacity) -> str:
    half = capacity.half
    if half is not None:
        return f"{capacity.contestant} {half.low:,.0f} to {half.high:,.0f}"
    if capacity.highest_held is not None:
        return f"{capacity.contestant} more than {capacity.highest_held:,.10g}"
    if capacity.lowest_broken is not None:
        return f"{capacity.contestant} less than {capacity.lowest_broken:,.10g}"
    return f"{capacity.contestant} not tried yet"
