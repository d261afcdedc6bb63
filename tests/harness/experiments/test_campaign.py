"""The order of a comparison's runs, and the settings of each."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.core.errors import UsageError
from harness.core.settings import RunSettings
from harness.experiments.campaign import Campaign, check, least_turns, of_one_cycle, plan_block, turn_s, warnings_of

FOUR = ("plan1", "plan2", "redis", "kafka-redis")


def campaign(**given: object) -> Campaign:
    asked = Campaign(architectures=FOUR, rates_per_s=(20.0,), rounds=3, common=RunSettings(arch="plan1", partitions=8))
    return msgspec.structs.replace(asked, **given)


def runs_of_block(asked: Campaign, number: int) -> list[RunSettings]:
    return [each.settings for turn in plan_block(asked, Path(), number) for each in turn]


@given(st.lists(st.sampled_from(FOUR), min_size=2, max_size=4, unique=True), st.integers(1, 24))
def test_everybody_has_one_turn_in_each_block(names: list[str], number: int) -> None:
    runs = runs_of_block(campaign(architectures=tuple(names)), number)
    assert sorted(each.arch for each in runs) == sorted(names)
    assert {(each.out, each.seed) for each in runs} == {(f"round-{number}", number)}


def test_after_as_many_blocks_as_there_are_architectures_each_was_in_each_position() -> None:
    orders = [[each.arch for each in runs_of_block(campaign(), number)] for number in range(1, 5)]
    assert all(set(position) == set(FOUR) for position in zip(*orders, strict=True))


def test_a_turn_has_every_rate_and_one_seed() -> None:
    turns = list(plan_block(campaign(rates_per_s=(20.0, 100.0)), Path(), 2))
    assert len(turns) == 4
    assert all([each.settings.rate_per_s for each in turn] == [20.0, 100.0] for turn in turns)
    assert {each.settings.seed for turn in turns for each in turn} == {2}


def test_with_faults_each_rate_is_a_turn_of_its_own() -> None:
    asked = campaign(rates_per_s=(20.0, 100.0), common=RunSettings(arch="plan1", faults=("kill:gateway@1s",)))
    turns = list(plan_block(asked, Path(), 1))
    assert [len(turn) for turn in turns] == [1] * 8


@pytest.mark.parametrize(("scenario", "turns"), [("big_room", 4), ("churn", 4), ("spike", 8), ("ramp", 8)])
def test_with_a_load_shape_each_rate_is_a_turn_of_its_own(scenario: str, turns: int) -> None:
    asked = campaign(rates_per_s=(20.0, 100.0), common=RunSettings(arch="plan1", scenario=scenario))
    assert len(list(plan_block(asked, Path(), 1))) == turns


def test_runs_are_as_long_as_the_scenario_needs() -> None:
    short = RunSettings(arch="redis", duration_s=4.0)
    assert of_one_cycle(short) == short
    storm = msgspec.structs.replace(short, scenario="reconnect_storm")
    assert of_one_cycle(storm).duration_s == 12.5
    assert of_one_cycle(msgspec.structs.replace(storm, duration_s=30.0)).duration_s == 30


def test_what_only_kafka_has_is_left_out_where_there_is_none() -> None:
    by_name = {each.arch: each for each in runs_of_block(campaign(), 1)}
    assert by_name["plan2"].partitions == 8
    assert by_name["redis"].partitions is None


def test_an_architecture_has_a_turn_under_each_label_and_nothing_else_tells_them_apart() -> None:
    asked = campaign(architectures=("redis",), labels=("A", "B"))
    check(asked)
    assert [str(each) for each in asked.variants] == ["redis (A)", "redis (B)"]
    runs = runs_of_block(asked, 1)
    assert {each.label for each in runs} == {"A", "B"}
    assert len({msgspec.json.encode(msgspec.structs.replace(each, label="")) for each in runs}) == 1


@pytest.mark.parametrize("labels", [(), ("A",), ("A", "A")])
def test_one_variant_cannot_be_compared(labels: tuple[str, ...]) -> None:
    with pytest.raises(UsageError, match="at least two different architectures"):
        check(campaign(architectures=("redis", "redis"), labels=labels))


def test_a_turn_takes_its_phases_and_its_start() -> None:
    common = RunSettings(arch="redis", duration_s=4.0, warmup_s=1.5)
    short = turn_s(campaign(common=common, rates_per_s=(20.0,)))
    assert 4 + 1.5 + 2 < short < 20
    assert turn_s(campaign(common=common, rates_per_s=(20.0, 100.0))) - short == pytest.approx(4, abs=1)


def test_a_budget_that_is_too_short_for_four_blocks_is_said_with_what_they_need() -> None:
    asked = campaign(rounds=None, common=RunSettings(arch="plan1", duration_s=30.0))
    assert least_turns(asked) == 16
    assert warnings_of(msgspec.structs.replace(asked, budget_s=3600.0)) == []
    (said,) = warnings_of(msgspec.structs.replace(asked, budget_s=60.0))
    assert said.startswith("--budget is 1m, but the four blocks that a comparison needs at least take about 1")
    assert warnings_of(campaign(rounds=9, budget_s=1.0)) == [], "a given number of rounds has no budget"


def test_architectures_that_will_not_be_compared_with_each_other_are_named() -> None:
    asked = campaign(architectures=("redis", "direct", "plan1"), common=RunSettings(arch="redis"))
    (said,) = warnings_of(asked)
    assert said.startswith("redis, plan1 will run on more gateways than direct, and they are not compared")
    assert said.endswith("--gateways 1")
