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
from harness.runs import turn, warming

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


def test_brokers_of_somebody_else_are_not_warmed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    common = RunSettings(arch="plan1", kafka_bootstrap="127.0.0.1:9")
    theirs = msgspec.structs.replace(PLAN, common=common)
    assert first_driver(monkeypatch, tmp_path / "theirs", theirs) == "a run"
    assert first_driver(monkeypatch, tmp_path / "ours", PLAN) == "warming"


def test_a_single_block_or_no_time_for_it_is_no_warming(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for given in ({"rounds": 1}, {"jvm_warmup_s": 0.0}):
        assert first_driver(monkeypatch, tmp_path, msgspec.structs.replace(PLAN, **given)) == "a run"
