"""Unit costs, fitted to total costs."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.experiments.costs.fit import DRAWS, Prediction, Runs, UnitCosts, fit_units, resampled


def fitted(
    names: tuple[str, ...], amounts: np.ndarray, values: np.ndarray, slowness: np.ndarray | None = None
) -> UnitCosts:
    """Each run is a shape of its own."""
    runs = Runs(amounts, values, np.ones(len(values)) if slowness is None else slowness, range(len(values)))
    return fit_units(names, runs, resampled(len(values)))


COSTS = st.lists(st.floats(0.1, 100), min_size=1, max_size=4)


@given(COSTS, st.integers(0, 1000))
def test_what_exact_figures_are_made_of_is_found_again(costs: list[float], seed: int) -> None:
    amounts = np.random.default_rng(seed).uniform(1, 10, size=(12, len(costs)))
    exact = amounts @ np.array(costs)
    units = fitted(tuple("abcd"[: len(costs)]), amounts, exact)
    assert units.costs == pytest.approx(costs, rel=1e-6, abs=1e-6)
    assert units.predict(costs).value == pytest.approx(np.dot(costs, costs), rel=1e-6)


def test_no_cost_is_below_zero_even_if_that_would_fit_better() -> None:
    amounts = np.array([[1.0, 1.0], [1.0, 2.0], [1.0, 3.0], [1.0, 4.0]])
    units = fitted(("each", "more"), amounts, np.array([4.0, 3.0, 2.0, 1.0]))
    assert units.costs[1] == 0.0 < units.costs[0]


def test_a_prediction_has_an_interval_that_grows_with_the_noise() -> None:
    random = np.random.default_rng(1)
    amounts = random.uniform(1, 100, size=(30, 2))
    exact = amounts @ np.array([2.0, 5.0])
    widths = []
    for noise in (0.01, 0.2):
        units = fitted(("a", "b"), amounts, exact * (1 + random.normal(0, noise, 30)))
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
        fitted(("a", "b"), np.array([[1.0, 2.0], [2.0, 1.0]]), np.ones(2))


def test_how_much_longer_everything_takes_on_a_slower_machine_is_found() -> None:
    random = np.random.default_rng(2)
    amounts, slowness = random.uniform(1, 10, size=(40, 2)), random.uniform(0.7, 1.6, 40)
    units = fitted(("a", "b"), amounts, (amounts @ np.array([3.0, 4.0])) * slowness**0.7, slowness)
    assert units.elasticity == pytest.approx(0.7, abs=0.01)
    assert units.costs == pytest.approx((3.0, 4.0), rel=0.01)
    assert units.predict([1.0, 1.0], slowness=2.0).value == pytest.approx(7 * 2**0.7, rel=0.02)


def test_units_in_proportion_share_one_cost_which_the_first_gets() -> None:
    first = np.arange(1.0, 11.0)
    amounts = np.stack([first, 3 * first, np.ones(10)], axis=1)
    units = fitted(("message", "copy", "server"), amounts, 5 * first + 2)
    assert units.identification.merged == {"copy": "message"}
    assert units.costs == pytest.approx((5.0, 0.0, 2.0), rel=1e-6, abs=1e-6)


def test_one_drawn_shape_is_the_same_in_every_fit() -> None:
    random = np.random.default_rng(3)
    amounts = random.uniform(1, 10, size=(30, 1))
    values = amounts[:, 0] * (1 + random.normal(0, 0.2, 30))
    one, twice = fitted(("a",), amounts, values), fitted(("a",), amounts, 2 * values)
    assert np.array(twice.draws) == pytest.approx(2 * np.array(one.draws))


def test_predictions_of_two_streams_have_independent_residuals() -> None:
    random = np.random.default_rng(4)
    amounts = random.uniform(1, 10, size=(50, 1))
    units = fitted(("a",), amounts, amounts[:, 0] * (1 + random.normal(0, 0.2, 50)))
    one, same, other = (units.predict([1.0], stream).draws for stream in ("redis", "redis", "plan1"))
    assert np.array_equal(one, same)
    assert abs(np.corrcoef(one, other)[0, 1]) < 0.3
