"""Unit costs, fitted to total costs."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.experiments.costs.fit import DRAWS, Prediction, fit_units

COSTS = st.lists(st.floats(0.1, 100), min_size=1, max_size=4)


@given(COSTS, st.integers(0, 1000))
def test_what_exact_figures_are_made_of_is_found_again(costs: list[float], seed: int) -> None:
    amounts = np.random.default_rng(seed).uniform(1, 10, size=(12, len(costs)))
    exact = amounts @ np.array(costs)
    units = fit_units(tuple("abcd"[: len(costs)]), amounts, exact)
    assert units.costs == pytest.approx(costs, rel=1e-6, abs=1e-6)
    assert units.predict(costs).value == pytest.approx(np.dot(costs, costs), rel=1e-6)


def test_no_cost_is_below_zero_even_if_that_would_fit_better() -> None:
    amounts = np.array([[1.0, 1.0], [1.0, 2.0], [1.0, 3.0], [1.0, 4.0]])
    units = fit_units(("each", "more"), amounts, np.array([4.0, 3.0, 2.0, 1.0]))
    assert units.costs[1] == 0.0 < units.costs[0]


def test_a_prediction_has_an_interval_that_grows_with_the_noise() -> None:
    random = np.random.default_rng(1)
    amounts = random.uniform(1, 100, size=(30, 2))
    exact = amounts @ np.array([2.0, 5.0])
    widths = []
    for noise in (0.01, 0.2):
        units = fit_units(("a", "b"), amounts, exact * (1 + random.normal(0, noise, 30)))
        interval = units.predict([10.0, 10.0]).interval
        assert interval.low <= interval.value <= interval.high
        assert interval.low < 70 < interval.high
        widths.append(interval.high - interval.low)
    assert widths[0] < widths[1] / 5


def test_predictions_add_up_draw_by_draw() -> None:
    one, other = Prediction(1.0, np.full(DRAWS, 1.5)), Prediction(2.0, np.full(DRAWS, 0.5))
    assert (one + other).value == 3.0
    assert (one + other).interval.high == 3.0


def test_as_many_unknowns_as_runs_are_refused() -> None:
    with pytest.raises(ValueError, match="2 runs are too few for 2 unit costs"):
        fit_units(("a", "b"), np.ones((2, 2)), np.ones(2))
