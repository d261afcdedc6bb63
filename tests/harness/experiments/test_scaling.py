"""How limits grow with gateways: the law that is fitted, or why there is none; and the ratio of two limits."""

from __future__ import annotations

import math

import pytest

from harness.analysis.holding import Estimate
from harness.experiments.scaling import ratio_of, scaling_of


def known(value: float, to: float = 1.1) -> Estimate:
    return Estimate(value=value, low=value / to, high=value * to)


def test_four_limits_of_its_own_are_enough_for_the_law() -> None:
    found = scaling_of("redis", {number: known(1000 * number) for number in (1, 2, 4, 8)}, [])
    assert found.not_fitted is None
    assert found.usl is not None
    assert found.usl.throughput_of_one == pytest.approx(1000)


def test_what_was_not_its_own_limit_is_told() -> None:
    found = scaling_of("redis", {1: known(1000), 2: known(2000)}, [8, 4])
    assert found.usl is None
    assert found.not_fitted == "its own limit with 4, 8 gateways is not known well, and a fit takes 4 limits"


def test_a_limit_that_is_known_only_roughly_is_left_out() -> None:
    rough = {2: Estimate(value=1790, low=673, high=199_000)}
    found = scaling_of("redis", {number: known(1000 * number) for number in (1, 4, 8)} | rough, [])
    assert found.not_fitted == "its own limit with 2 gateways is not known well, and a fit takes 4 limits"


def test_too_few_numbers_of_gateways_are_told() -> None:
    found = scaling_of("redis", {1: known(1000), 2: known(2000)}, [])
    assert found.not_fitted == "a fit takes 4 limits, not 2"


def test_the_ratio_of_two_limits_is_as_uncertain_as_both_together() -> None:
    ratio = ratio_of(known(3000, to=1.1), known(1000, to=1.2))
    assert ratio.value == pytest.approx(3)
    both = math.exp(math.hypot(math.log(1.1), math.log(1.2)))
    assert [ratio.low, ratio.high] == pytest.approx([3 / both, 3 * both])


def test_the_ratio_to_a_limit_that_may_be_lower_may_be_higher() -> None:
    ratio = ratio_of(known(1000, to=1.0001), Estimate(value=1000, low=500, high=1000))
    assert [ratio.low, ratio.high] == pytest.approx([1, 2], rel=1e-3)
