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


def test_the_rounds_are_interleaved() -> None:
    order = [each.settings.arch for each in campaigns.plan(campaign(), Path())]
    first, second, third, fourth = FOUR
    assert order[:4] == [first, second, third, fourth]
    assert order[4:8] == [second, third, fourth, first]
    assert order[8:] == [third, fourth, first, second]


@given(st.lists(st.sampled_from(FOUR), min_size=2, max_size=4, unique=True), st.integers(1, 8))
def test_everybody_is_run_once_a_round_and_takes_every_place_alike(names: list[str], rounds: int) -> None:
    planned = list(campaigns.plan(campaign(architectures=tuple(names), rounds=rounds), Path()))
    for number in range(1, rounds + 1):
        assert sorted(each.settings.arch for each in planned if each.settings.out == f"round-{number}") == sorted(names)
    firsts = [planned[start].settings.arch for start in range(0, len(planned), len(names))]
    counts = [firsts.count(name) for name in names]
    assert max(counts) - min(counts) <= 1


def test_a_round_has_one_seed_and_every_rate() -> None:
    planned = list(campaigns.plan(campaign(rates_per_s=(20.0, 40.0), rounds=2), Path()))
    assert len(planned) == 2 * 2 * 4
    assert {(each.settings.out, each.settings.seed) for each in planned} == {("round-1", 1), ("round-2", 2)}
    assert [each.settings.rate_per_s for each in planned[:8]] == 4 * [20.0] + 4 * [40.0]


def test_what_only_kafka_has_is_left_out_where_there_is_none() -> None:
    by_name = {each.settings.arch: each.settings for each in campaigns.plan(campaign(), Path())}
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
