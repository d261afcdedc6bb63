"""The Universal Scalability Law, fitted to made-up limits of which its parameters are known."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.analysis.holding import Estimate
from harness.analysis.usl import NotFitted, fit_usl

NUMBERS = (1, 2, 4, 8)


def law(number: int, one: float, sigma: float, kappa: float) -> float:
    return one * number / (1 + sigma * (number - 1) + kappa * number * (number - 1))


def known(value: float, to: float = 1.05) -> Estimate:
    return Estimate(value=value, low=value / to, high=value * to)


@settings(max_examples=40, deadline=None)
@given(one=st.floats(10, 1e5), sigma=st.floats(0, 0.9), kappa=st.floats(0, 0.2))
def test_exact_limits_give_the_parameters_back(one: float, sigma: float, kappa: float) -> None:
    fitted = fit_usl({number: known(law(number, one, sigma, kappa)) for number in NUMBERS})
    assert fitted.throughput_of_one == pytest.approx(one, rel=1e-6)
    assert fitted.sigma.value == pytest.approx(sigma, abs=1e-6)
    assert fitted.kappa.value == pytest.approx(kappa, abs=1e-6)
    assert [fitted.throughput(number) for number in NUMBERS] == pytest.approx(
        [law(number, one, sigma, kappa) for number in NUMBERS]
    )


def test_the_fit_explains_what_follows_the_law() -> None:
    assert fit_usl({number: known(law(number, 1000, 0.1, 0.01)) for number in NUMBERS}).r2 == pytest.approx(1)


def test_intervals_hold_the_parameters_that_made_the_limits() -> None:
    chance = np.random.default_rng(1)
    inside = {"sigma": 0, "kappa": 0}
    cases = 60
    for _ in range(cases):
        limits = {
            number: known(law(number, 1000, 0.2, 0.02) * math.exp(0.05 * chance.standard_normal()), math.exp(0.098))
            for number in NUMBERS
        }
        fitted = fit_usl(limits)
        inside["sigma"] += fitted.sigma.low <= 0.2 <= fitted.sigma.high
        inside["kappa"] += fitted.kappa.low <= 0.02 <= fitted.kappa.high
    assert min(inside.values()) >= 53


def test_a_limit_that_is_hardly_known_moves_the_fit_little() -> None:
    straight = {number: known(1000.0 * number) for number in NUMBERS}
    closely = fit_usl(straight | {4: known(2000.0)})
    hardly = fit_usl(straight | {4: known(2000.0, to=4.0)})
    assert hardly.throughput(8) == pytest.approx(8000, rel=0.02)
    assert abs(closely.throughput(8) - 8000) > 10 * abs(hardly.throughput(8) - 8000)


def test_what_grows_faster_than_the_number_has_neither_contention_nor_coherency() -> None:
    fitted = fit_usl({number: known(1000 * number**1.2) for number in NUMBERS})
    assert (fitted.sigma.value, fitted.kappa.value, fitted.most_at) == (0, 0, None)


def test_limits_that_do_not_differ_are_all_contention() -> None:
    fitted = fit_usl({number: known(1000.0) for number in NUMBERS})
    assert fitted.sigma.value == pytest.approx(1)
    assert fitted.r2 is None


def test_the_number_that_takes_most_is_where_the_law_has_its_maximum() -> None:
    fitted = fit_usl({number: known(law(number, 1000, 0.1, 0.1)) for number in NUMBERS})
    assert fitted.most_at == pytest.approx(3)
    assert fitted.throughput(3) > max(fitted.throughput(2.9), fitted.throughput(3.1))


def test_three_limits_are_too_few() -> None:
    with pytest.raises(NotFitted, match="a fit takes 4 limits, not 3"):
        fit_usl({number: known(1000.0) for number in (1, 2, 4)})


def test_limits_that_fall_faster_than_the_law_are_not_fitted() -> None:
    with pytest.raises(NotFitted, match="fall faster"):
        fit_usl({number: known(1000.0 / number**3) for number in (2, 4, 8, 16)})
