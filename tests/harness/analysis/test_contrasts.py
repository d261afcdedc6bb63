"""Paired ratios and their intervals."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from harness.analysis.contrasts import Figures, Matrix, contrasts, geometric_means

THREE = ("plan1", "plan2", "redis")
blocks_of_three = st.integers(2, 9).flatmap(lambda blocks: arrays(float, (blocks, 3), elements=st.floats(0.01, 1000)))


def test_a_contrast_is_the_paired_t_test_of_the_logarithms() -> None:
    from scipy import stats  # noqa: PLC0415 - half a second, in each process that collects tests

    values = np.array([[2.0, 1.0], [2.4, 1.1], [2.1, 1.2], [3.0, 1.3]])
    (found,) = contrasts(Figures("cpu", ("a", "b"), values))
    logs = np.log(values)
    test = stats.ttest_rel(logs[:, 0], logs[:, 1])
    assert found.p_value == pytest.approx(test.pvalue)
    low, high = test.confidence_interval()
    assert found.interval() == pytest.approx((np.exp(low), np.exp(high)))
    assert found.blocks == 4


@given(blocks_of_three)
def test_the_ratio_is_that_of_the_geometric_means_shown_beside_it(values: Matrix) -> None:
    figures = Figures("cpu", THREE, values)
    means = geometric_means(figures)
    for each in contrasts(figures):
        assert each.ratio == pytest.approx(means[each.first] / means[each.second])


@given(blocks_of_three, st.floats(0.001, 1000))
def test_units_do_not_matter(values: Matrix, factor: float) -> None:
    for one, other in zip(
        contrasts(Figures("cpu", THREE, values)), contrasts(Figures("cpu", THREE, values * factor)), strict=True
    ):
        assert one.log_ratio == pytest.approx(other.log_ratio, abs=1e-9)
        assert one.standard_error == pytest.approx(other.standard_error, abs=1e-6)


@given(blocks_of_three, st.randoms())
def test_the_order_of_blocks_does_not_matter(values: Matrix, random: np.random.Generator) -> None:
    order = list(range(len(values)))
    random.shuffle(order)
    slowness = 1 + np.arange(values.size).reshape(values.shape) % 7 / 10
    one = contrasts(Figures("cpu", THREE, values, slowness))
    other = contrasts(Figures("cpu", THREE, values[order], slowness[order]))
    for before, after in zip(one, other, strict=True):
        assert before.log_ratio == pytest.approx(after.log_ratio, abs=1e-9)
        assert before.standard_error == pytest.approx(after.standard_error, abs=1e-6)


def test_a_block_with_a_missing_run_does_not_count() -> None:
    values = np.array([[2.0, 1.0, 3.0], [2.1, np.nan, 3.0], [2.2, 1.1, 3.1], [2.0, 1.2, 2.9]])
    with_gap = contrasts(Figures("cpu", THREE, values))
    without = contrasts(Figures("cpu", THREE, values[[0, 2, 3]]))
    assert with_gap == without
    assert {each.blocks for each in with_gap} == {3}


def test_one_block_tells_no_ratio_and_none_tells_no_mean() -> None:
    assert contrasts(Figures("cpu", THREE, np.ones((1, 3)))) == []
    assert geometric_means(Figures("cpu", THREE, np.full((2, 3), np.nan))) == {}


def test_the_variance_of_one_pair_of_three_is_half_its_own_and_half_that_of_the_two_way_analysis_of_variance() -> None:
    from statsmodels.formula.api import ols  # noqa: PLC0415 - as above

    values = np.exp(np.random.default_rng(5).normal(0, 0.1, (6, 3)))
    logs = pd.DataFrame(
        [(block, name, np.log(values[block, place])) for block in range(6) for place, name in enumerate(THREE)],
        columns=["block", "name", "log"],
    )
    residual = ols("log ~ C(block) + C(name)", logs).fit().mse_resid
    for each in contrasts(Figures("cpu", THREE, values)):
        own = (np.log(values[:, THREE.index(each.first)] / values[:, THREE.index(each.second)])).var(ddof=1)
        assert each.standard_error**2 == pytest.approx((own + 2 * residual) / 2 / 6)
        assert each.freedom(6) == 2 * (6 - 1)


def test_a_machine_that_was_twice_as_slow_during_one_run_does_not_make_its_architecture_dearer() -> None:
    random = np.random.default_rng(6)
    slowness = np.ones((6, 3))
    slowness[2, 0] = 2.0
    values = np.array([5.0, 5.0, 2.0]) * slowness * np.exp(random.normal(0, 0.01, slowness.shape))
    plan1_plan2 = contrasts(Figures("cpu", THREE, values, slowness))[0]
    assert plan1_plan2.ratio == pytest.approx(1, abs=0.02)
    assert plan1_plan2.half_width < 0.03
    assert contrasts(Figures("cpu", THREE, values))[0].half_width > 0.2


def test_with_the_speed_a_contrast_of_two_is_the_regression_of_their_difference_on_that_of_the_speed() -> None:
    from scipy import stats  # noqa: PLC0415 - as above

    random = np.random.default_rng(7)
    slowness = np.exp(random.normal(0, 0.2, (6, 2)))
    values = np.array([1.3, 1.0]) * slowness**0.8 * np.exp(random.normal(0, 0.05, (6, 2)))
    (found,) = contrasts(Figures("cpu", ("a", "b"), values, slowness))
    line = stats.linregress(np.log(slowness[:, 0] / slowness[:, 1]), np.log(values[:, 0] / values[:, 1]))
    assert found.log_ratio == pytest.approx(line.intercept)
    assert found.standard_error == pytest.approx(line.intercept_stderr)
    freedom = 6 - 2  # of the blocks, the mean takes one and the elasticity another
    assert found.p_value == pytest.approx(2 * stats.t.sf(line.intercept / line.intercept_stderr, freedom))
    half = stats.t.ppf(0.975, freedom) * line.intercept_stderr
    assert found.interval() == pytest.approx((np.exp(line.intercept - half), np.exp(line.intercept + half)))


@pytest.mark.parametrize(("architectures", "lost"), [("ab", 1), ("abc", 1 / 2), ("abcde", 1 / 4)])
def test_each_pair_gives_its_share_of_the_degree_of_freedom_that_the_elasticity_takes(
    architectures: str, lost: float
) -> None:
    random = np.random.default_rng(8)
    shape = (5, len(architectures))
    slowness, values = np.exp(random.normal(0, 0.1, shape)), np.exp(random.normal(0, 0.1, shape))
    adjusted = contrasts(Figures("cpu", tuple(architectures), values, slowness))
    assert {each.lost_freedom for each in adjusted} == {lost}
    assert {each.lost_freedom for each in contrasts(Figures("cpu", tuple(architectures), values))} == {0.0}


def test_identical_runs_leave_no_doubt() -> None:
    (same, *_) = contrasts(Figures("cpu", THREE, np.full((4, 3), 2.0)))
    assert (same.ratio, same.half_width, same.p_value) == (1, 0, 1)
