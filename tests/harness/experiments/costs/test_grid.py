"""The design of `chatbench costs`: which sizes it has, and that they tell unit costs apart."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.core.errors import UsageError
from harness.experiments.costs.components import CPU_COMPONENTS
from harness.experiments.costs.grid import FITTED, INSIDE, OUTSIDE, REPLICATED, SHAPES, CostsPlan, Shape, plan
from harness.experiments.costs.identification import INFLATION_MAX
from harness.experiments.costs.model import fit
from harness.experiments.costs.workload import uses_kafka
from tests.harness.experiments.costs.made_up import EXACT_POINTS

TIMES_MIN, TIMES_MAX = 3, 4


def sizes(shape: Shape) -> dict[str, float]:
    return {
        "gateways": shape.gateways,
        "rooms": shape.rooms,
        "members of a room": shape.members_per_room,
        "rate": shape.rates_per_s[-1],
    }


def test_the_fitted_shapes_tell_the_units_of_cpu_apart() -> None:
    units = fit(EXACT_POINTS).units
    for part in CPU_COMPONENTS:
        told = units[part.name].identification
        assert told.condition < 60, part.name
        uncertain = [name for name in told.uncertain if "cold" not in name]
        assert len(uncertain) <= 2, (part.name, uncertain, INFLATION_MAX)


def test_shapes_inside_are_within_the_fitted_ones_and_those_outside_three_to_four_times_beyond_in_one_size() -> None:
    most = {name: max(sizes(shape)[name] for shape in SHAPES[FITTED]) for name in sizes(SHAPES[FITTED][0])}
    for shape in SHAPES[INSIDE]:
        assert all(size <= most[name] for name, size in sizes(shape).items()), shape
    for shape in SHAPES[OUTSIDE]:
        times = [size / most[name] for name, size in sizes(shape).items() if size > most[name]]
        assert len(times) == 1, shape
        assert TIMES_MIN <= times[0] <= TIMES_MAX, shape


def test_an_architecture_has_one_turn_for_each_shape_and_replicas_only_where_there_is_kafka() -> None:
    turns = plan(CostsPlan(), Path())
    assert all(len({run.settings.arch for run in turn}) == 1 for turn in turns)
    rates = [[run.settings.rate_per_s for run in turn] for turn in turns]
    assert rates == [sorted(each) for each in rates]
    replicated = [turn[0].settings for turn in turns if turn[0].settings.brokers == REPLICATED]
    assert replicated
    assert all(uses_kafka(settings.arch) for settings in replicated)


def test_what_validates_predictions_is_measured_after_all_that_they_are_fitted_to() -> None:
    kinds = [Path(turn[0].settings.out).name for turn in plan(CostsPlan(), Path())]
    assert kinds == sorted(kinds, key=(FITTED, INSIDE, OUTSIDE).index)


def test_a_plan_that_is_not_possible_is_refused() -> None:
    with pytest.raises(UsageError, match="--rounds is 0"):
        plan(CostsPlan(rounds=0), Path())
