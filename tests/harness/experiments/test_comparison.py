"""A comparison's plan in its folder, and what it starts first."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import msgspec
import pytest
from rich.console import Console

from harness.core.errors import UsageError
from harness.core.progress import CampaignProgress
from harness.core.settings import RunSettings
from harness.experiments import comparison
from harness.experiments.campaign import Campaign
from harness.measure.validity import DriverVerdict
from harness.runs import turn, warming
from harness.runs.summary import Summary

PLAN = Campaign(
    architectures=("plan1", "redis"), rates_per_s=(20.0,), rounds=3, common=RunSettings(arch="plan1", partitions=8)
)


def test_the_plan_survives_in_the_folder(tmp_path: Path) -> None:
    folder = comparison.begin(PLAN, str(tmp_path))
    assert msgspec.structs.replace(comparison.resume(folder), command=()) == PLAN


@pytest.mark.parametrize("text", [None, "{", '{"rounds": 3}'])
def test_a_folder_without_a_plan_cannot_be_resumed(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / "campaign.json").write_text(text)
    with pytest.raises(UsageError, match="is not a folder that `chatbench compare` made"):
        comparison.resume(tmp_path)


class Reached(Exception):
    """What a test wants to see was reached; nothing is started."""


def first_driver(monkeypatch: pytest.MonkeyPatch, folder: Path, campaign: Campaign) -> str:
    """What the comparison starts a driver for first, of `warming` and `a run`."""

    def instead(what: str) -> Callable[..., NoReturn]:
        def raises(*_given: object) -> NoReturn:
            raise Reached(what)

        return raises

    monkeypatch.setattr(warming, "driver_on", instead("warming"))
    monkeypatch.setattr(turn, "driver_on", instead("a run"))
    progress = CampaignProgress(Console(file=io.StringIO()), 1, run_s=1.0)
    with pytest.raises(Reached) as reached:
        comparison.run_campaign(campaign, comparison.begin(campaign, str(folder)), progress)
    return str(reached.value)


def test_brokers_are_warmed_with_the_settings_of_a_run_and_not_with_options_of_another_architecture(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    common = RunSettings(arch="plan1", arch_options=("keep=1000",))
    mixed = msgspec.structs.replace(PLAN, architectures=("plan1", "redis-streams"), common=common)
    assert first_driver(monkeypatch, tmp_path, mixed) == "warming"


@pytest.mark.slow
def test_brokers_of_somebody_else_are_not_warmed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    common = RunSettings(arch="plan1", kafka_bootstrap="127.0.0.1:9")
    theirs = msgspec.structs.replace(PLAN, common=common)
    assert first_driver(monkeypatch, tmp_path / "theirs", theirs) == "a run"
    assert first_driver(monkeypatch, tmp_path / "ours", PLAN) == "warming"


def test_a_single_block_or_no_time_for_it_is_no_warming(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for given in ({"rounds": 1}, {"jvm_warmup_s": 0.0}):
        assert first_driver(monkeypatch, tmp_path, msgspec.structs.replace(PLAN, **given)) == "a run"


def test_who_was_measured_by_a_late_driver_in_most_runs_is_named_with_the_limit() -> None:
    late = DriverVerdict(valid=False, why="0.5 % of messages were sent 80 ms late or more (limit 50, of a p99 of 9 ms)")
    fine = DriverVerdict(valid=True, why=None)
    runs = [
        Summary(arch=arch, scenario="big_room", status="complete", members=10, gateways=2, driver=driver)
        for arch, drivers in (("plan1", (fine, late)), ("redis", (late, fine, late)))
        for driver in drivers
    ]
    assert comparison.driver_problems(runs) == [
        "the driver was not valid in 2 of 3 runs of redis, so that their latencies say nothing; in the first of these, "
        "0.5 % of messages were sent 80 ms late or more (limit 50, of a p99 of 9 ms)"
    ]
    assert comparison.driver_problems(runs[:2]) == []
    killed = Summary(arch="plan2", scenario="big_room", status="failed", why="Kafka ended", members=10, gateways=2)
    assert comparison.driver_problems([killed])[0].endswith("in the first of these, Kafka ended")
