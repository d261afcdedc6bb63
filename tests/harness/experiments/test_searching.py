"""The turns of a search, on made-up runs that take time by a made-up clock."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from msgspec.structs import replace
from rich.console import Console

from harness.core.errors import ServiceFailed, UsageError
from harness.core.progress import CampaignProgress
from harness.core.settings import RunSettings
from harness.experiments import searching
from harness.experiments.attempt import Objective
from harness.experiments.capacity import Search, begin, resume
from harness.experiments.searching import find_capacities
from harness.measure.histogram import LatencyMs
from harness.measure.validity import DriverVerdict
from harness.runs.record import Record
from harness.runs.run import Outcome
from harness.runs.summary import Summary

RUN_S = 10.0
WARMING_S = 70.0


class Lab:
    """Stands in for the backends and the runs on them: each architecture holds up to a limit."""

    def __init__(self, limits: dict[str, float]) -> None:
        self.limits = limits
        self.now_s = 0.0
        self.runs: list[RunSettings] = []
        self.warmed = 0
        self.on_run: Callable[[RunSettings], None] = lambda settings: None

    def run_on(self, _backends: object, record: Record, *_rest: object, **_options: object) -> Outcome:
        settings = record.settings
        self.now_s += RUN_S
        self.runs.append(settings)
        self.on_run(settings)
        holds = settings.rate_per_s <= self.limits[settings.arch]
        summary = Summary(
            arch=settings.arch,
            scenario="big_room",
            status="complete",
            members=settings.members,
            gateways=2,
            delivered=100,
            latency_ms=LatencyMs(p50=5.0, p99=50.0 if holds else 900.0),
            driver=DriverVerdict(valid=True, why=None),
        )
        return Outcome(summary, record.folder)

    def warm(self, *_given: object, **_options: object) -> None:
        self.now_s += WARMING_S
        self.warmed += 1


class NoBackends:
    def __init__(self, *_given: object) -> None:
        self.stopped = 0

    def __enter__(self) -> NoBackends:
        return self

    def __exit__(self, *_problem: object) -> None:
        pass

    def backends_for(self, _settings: RunSettings) -> None:
        return None

    def stop(self) -> None:
        self.stopped += 1


@pytest.fixture
def lab(monkeypatch: pytest.MonkeyPatch) -> Lab:
    found = Lab({"redis": 5_000.0, "plan1": 1_000.0})
    monkeypatch.setattr(searching, "run_on", found.run_on)
    monkeypatch.setattr(searching, "warm", found.warm)
    monkeypatch.setattr(searching, "WarmBackends", NoBackends)
    monkeypatch.setattr(searching, "time", SimpleNamespace(monotonic=lambda: found.now_s))
    return found


def plan(out: Path, *architectures: str, **change: Any) -> Search:
    search = Search(
        architectures=architectures,
        scenario="big_room",
        objective=Objective(p99_ms=200),
        start=200,
        precision=0.3,
        budget_s=3_600,
        settings=RunSettings(arch=architectures[0], duration_s=3, warmup_s=1, out=str(out)),
    )
    return replace(search, **change)


def found_by(search: Search) -> tuple[Search, Path]:
    search, folder = begin(search)
    return go_on(search, folder), folder


def go_on(search: Search, folder: Path) -> Search:
    return find_capacities(search, folder, CampaignProgress(Console(quiet=True), 1))


def test_architectures_take_turns_until_each_limit_is_known(lab: Lab, tmp_path: Path) -> None:
    found, _folder = found_by(plan(tmp_path, "redis", "plan1"))
    limits = {each.arch: each.half for each in found.capacities}
    for arch, limit in lab.limits.items():
        half = limits[arch]
        assert half is not None
        assert half.low <= limit <= half.high
    first = [run.arch for run in lab.runs[:8]]
    assert all(set(first[turn : turn + 2]) == {"redis", "plan1"} for turn in range(0, 8, 2))
    of_a_turn = [{run.seed for run in lab.runs[turn : turn + 2]} for turn in range(0, 8, 2)]
    assert of_a_turn == [{1}, {2}, {3}, {4}]


def test_a_search_goes_on_where_it_was_interrupted(lab: Lab, tmp_path: Path) -> None:
    def fails_at_the_fifth(_settings: RunSettings) -> None:
        if len(lab.runs) == 5:
            raise KeyboardInterrupt

    lab.on_run = fails_at_the_fifth
    search, folder = begin(plan(tmp_path, "redis", "plan1"))
    with pytest.raises(KeyboardInterrupt):
        go_on(search, folder)
    lab.on_run = lambda settings: None
    before = lab.runs[:4]
    found = go_on(resume(folder), folder)
    tried = Counter((each.arch, attempt.rate_per_s) for each in found.capacities for attempt in each.attempts)
    made = Counter((run.arch, run.rate_per_s) for run in [*before, *lab.runs[5:]])
    assert tried == made


def test_a_run_that_would_not_end_in_the_budget_is_not_begun_and_warming_is_not_counted(
    lab: Lab, tmp_path: Path
) -> None:
    found_by(plan(tmp_path, "redis", "plan1", budget_s=45))
    assert lab.warmed == 1
    assert len(lab.runs) == 4


def test_a_run_that_fails_under_its_load_broke_and_brokers_are_warmed_again(lab: Lab, tmp_path: Path) -> None:
    def fails_above(settings: RunSettings) -> None:
        if settings.rate_per_s > 700:
            raise ServiceFailed("a gateway was killed")

    lab.on_run = fails_above
    found, _folder = found_by(plan(tmp_path, "plan1"))
    (capacity,) = found.capacities
    assert capacity.limited_by == "a failure of the run"
    assert "the run failed: a gateway was killed" in {attempt.why for attempt in capacity.attempts}
    failed = sum(not attempt.held for attempt in capacity.attempts)
    assert lab.warmed >= failed  # before each run that follows


def test_a_failure_before_anything_held_ends_the_search_and_says_how_to_resume(lab: Lab, tmp_path: Path) -> None:
    def fails(_settings: RunSettings) -> None:
        raise ServiceFailed("no gateway started")

    lab.on_run = fails
    with pytest.raises(ServiceFailed, match="no gateway started; resume with: chatbench capacity --resume"):
        found_by(plan(tmp_path, "redis"))


def test_a_load_that_is_refused_is_not_tried_again(lab: Lab, tmp_path: Path) -> None:
    refused: list[float] = []

    def refuses_above(settings: RunSettings) -> None:
        if settings.rate_per_s > 1_500:
            refused.append(settings.rate_per_s)
            raise UsageError("too few files for the members")

    lab.on_run = refuses_above
    found, _folder = found_by(plan(tmp_path, "redis"))
    (capacity,) = found.capacities
    assert capacity.at_least
    assert capacity.highest_held is not None
    assert capacity.highest_held <= 1_500
    assert len(set(refused)) == len(refused)
