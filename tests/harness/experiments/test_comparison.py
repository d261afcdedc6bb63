"""The order of a comparison's runs, and the settings of each."""

from __future__ import annotations

import io
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from harness.core.errors import UsageError
from harness.core.progress import CampaignProgress
from harness.core.settings import RunSettings
from harness.experiments import comparison as campaigns
from harness.experiments.comparison import Campaign

FOUR = ("plan1", "plan2", "redis", "kafka-redis")


def campaign(**given: object) -> Campaign:
    asked = Campaign(architectures=FOUR, rates_per_s=(20.0,), rounds=3, common=RunSettings(arch="plan1", partitions=8))
    return msgspec.structs.replace(asked, **given)


def runs_of_block(asked: Campaign, number: int) -> list[RunSettings]:
    return [each.settings for turn in campaigns.plan_block(asked, Path(), number) for each in turn]


@given(st.lists(st.sampled_from(FOUR), min_size=2, max_size=4, unique=True), st.integers(1, 24))
def test_everybody_has_one_turn_in_each_block(names: list[str], number: int) -> None:
    runs = runs_of_block(campaign(architectures=tuple(names)), number)
    assert sorted(each.arch for each in runs) == sorted(names)
    assert {(each.out, each.seed) for each in runs} == {(f"round-{number}", number)}


def test_after_as_many_blocks_as_there_are_architectures_each_was_in_each_position() -> None:
    orders = [[each.arch for each in runs_of_block(campaign(), number)] for number in range(1, 5)]
    assert all(set(position) == set(FOUR) for position in zip(*orders, strict=True))


def test_a_turn_has_every_rate_and_one_seed() -> None:
    turns = list(campaigns.plan_block(campaign(rates_per_s=(20.0, 100.0)), Path(), 2))
    assert len(turns) == 4
    assert all([each.settings.rate_per_s for each in turn] == [20.0, 100.0] for turn in turns)
    assert {each.settings.seed for turn in turns for each in turn} == {2}


def test_with_faults_each_rate_is_a_turn_of_its_own() -> None:
    asked = campaign(rates_per_s=(20.0, 100.0), common=RunSettings(arch="plan1", faults=("kill:gateway@1s",)))
    turns = list(campaigns.plan_block(asked, Path(), 1))
    assert [len(turn) for turn in turns] == [1] * 8


def test_what_only_kafka_has_is_left_out_where_there_is_none() -> None:
    by_name = {each.arch: each for each in runs_of_block(campaign(), 1)}
    assert by_name["plan2"].partitions == 8
    assert by_name["redis"].partitions is None


def test_the_plan_survives_in_the_folder(tmp_path: Path) -> None:
    folder = campaigns.begin(campaign(), str(tmp_path))
    assert msgspec.structs.replace(campaigns.resume(folder), command=()) == campaign()


@pytest.mark.parametrize("text", [None, "{", '{"rounds": 3}'])
def test_a_folder_without_a_plan_cannot_be_resumed(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / "campaign.json").write_text(text)
    with pytest.raises(UsageError, match="is not a folder that `chatbench compare` made"):
        campaigns.resume(tmp_path)


def test_on_a_terminal_there_is_one_bar_over_all_runs() -> None:
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=120)
    with CampaignProgress(console, 12) as progress:
        progress.run(4, "round 2, plan2 at 20 msg/s")
        progress.step("measure", "30 s", total=30)
        progress.update(3, "60 said")
        assert progress._live is not None
        progress._live.refresh()
    assert "4/12" in out.getvalue()
    assert "round 2, plan2 at 20 msg/s · measure: 60 said" in out.getvalue()
