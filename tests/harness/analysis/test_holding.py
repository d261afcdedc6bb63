"""Up to which load an objective holds: the curve, its intervals, and the choice of the next load."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.analysis.holding import (
    BAD_LUCK,
    CLIMB_MAX,
    RUNS_MIN,
    Trial,
    holding,
    is_known,
    most_informative,
)

LEAST, MOST = 1.0, 1e6
# Below the middle of the curve, where 95 of a hundred runs hold if 2 break in any case: ln(0.98 / 0.95 - 1) / ln 19.
SURE_IN_WIDTHS = 1.1735


def search(true_half: float, width: float, seed: int, precision: float = 0.1) -> list[Trial]:
    """What a search tries whose runs hold as the model says."""
    random = np.random.default_rng(seed)
    trials: list[Trial] = []
    while len(trials) < 30 and not is_known(trials, precision):
        load = most_informative(trials, 200.0, LEAST, MOST)
        chance = (1 - BAD_LUCK) / (1 + (load / true_half) ** (math.log(19) / width))
        trials.append(Trial(load, bool(random.random() < chance)))
    return trials


@pytest.mark.slow
@pytest.mark.parametrize("width", [0.03, 0.1, 0.3])
def test_intervals_hold_the_truth_as_often_as_they_say(width: float) -> None:
    halves = np.geomspace(20, 20_000, 60)
    found = [holding(search(half, width, seed)) for seed, half in enumerate(halves)]
    half_inside = [each.half.low <= half <= each.half.high for each, half in zip(found, halves, strict=True)]
    sure = halves * math.exp(-SURE_IN_WIDTHS * width)
    sure_inside = [each.sure.low <= load <= each.sure.high for each, load in zip(found, sure, strict=True)]
    # 60 times 95 % are 57; fewer than 53 would come about once in a hundred times.
    assert sum(half_inside) >= 53
    assert sum(sure_inside) >= 53


@pytest.mark.slow
def test_a_limit_is_known_to_ten_percent_after_a_dozen_runs() -> None:
    runs = [len(search(half, 0.05, seed)) for seed, half in enumerate(np.geomspace(20, 20_000, 20))]
    assert np.median(runs) <= 14
    assert max(runs) < 30


@settings(max_examples=25)
@given(st.floats(10, 50_000), st.floats(1.1, 50))
def test_limits_scale_with_the_load(true_half: float, times: float) -> None:
    trials = [Trial(true_half * share, share < 1) for share in (0.5, 0.8, 0.9, 1.1, 1.2, 1.5)]
    one = holding(trials).half
    other = holding([Trial(trial.load * times, trial.held) for trial in trials]).half
    if other.high < 1e6:
        assert other.value == pytest.approx(times * one.value, rel=0.03)  # the grid has a point every two percent
        assert other.low == pytest.approx(times * one.low, rel=0.03)


def test_more_of_the_same_makes_it_surer() -> None:
    few = [Trial(100, True), Trial(200, False)]
    assert holding(3 * few).half.half_width < holding(few).half.half_width
    assert 100 < holding(3 * few).half.value < 200
    assert holding(3 * few).sure.value < holding(3 * few).half.value


def test_one_run_of_bad_luck_does_not_move_a_limit_far() -> None:
    clear = [Trial(load, load < 1000) for load in (200, 400, 800, 800, 950, 1100, 1200, 1600)]
    unlucky = [*clear, Trial(200, False), Trial(200, True), Trial(400, True)]
    assert holding(unlucky).half.value == pytest.approx(holding(clear).half.value, rel=0.15)


def test_it_begins_where_it_was_told_and_climbs_no_faster_than_fourfold() -> None:
    assert most_informative([], 50, LEAST, MOST) == 50
    second = most_informative([Trial(50, True)], 50, LEAST, MOST)
    assert 50 < second <= 50 * CLIMB_MAX
    assert most_informative([Trial(50, False)], 50, LEAST, MOST) < 50


def test_it_tries_no_load_beyond_the_limits() -> None:
    held = [Trial(50, True)] * 3
    assert most_informative(held, 50, LEAST, 60) <= 60
    broken = [Trial(50, False)] * 3
    assert most_informative(broken, 50, 45, MOST) >= 45


def test_a_few_runs_that_were_alike_do_not_end_a_search() -> None:
    assert not is_known([Trial(100, True)] * 20, 0.5)
    near = [Trial(load, load < 105) for load in 6 * (100, 110)]
    assert is_known(near, 0.2)
    assert not is_known(near[1 : RUNS_MIN - 1], 0.2)
