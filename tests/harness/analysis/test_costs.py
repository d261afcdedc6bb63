"""Fixed and marginal cost."""

from __future__ import annotations

import numpy as np
import pytest

from harness.analysis.costs import Load, cost_of, why_left_out


def load(cpu_ms_per_s: float, messages_per_s: float, slowness: float = np.nan) -> Load:
    return Load(np.array([cpu_ms_per_s]), np.array([messages_per_s * 100]), np.array([slowness]))


def test_fixed_is_what_an_idle_chat_costs_and_marginal_what_more_messages_cost() -> None:
    cost = cost_of(load(40, 0), load(90, 20), load(250, 100))
    assert cost.fixed_ms_per_s == pytest.approx([40])
    assert cost.marginal_us_per_delivery == pytest.approx([20])


def test_a_marginal_cost_is_not_known_without_more_deliveries() -> None:
    cost = cost_of(load(40, 0), load(90, 20), load(250, 20))
    assert np.isnan(cost.marginal_us_per_delivery).all()


def test_a_slow_moment_in_either_load_explains_the_marginal_cost_that_it_made() -> None:
    usual = cost_of(load(40, 0, 1.0), load(90, 20, 1.0), load(250, 100, 1.0))
    for elasticity in (0.5, 1.0):
        for slow_low, slow_high in ((1.02, 1.0), (1.0, 1.02), (0.98, 1.02)):
            low, high = load(90 * slow_low**elasticity, 20, slow_low), load(250 * slow_high**elasticity, 100, slow_high)
            cost = cost_of(load(40, 0, 1.0), low, high)
            explained = cost.marginal_us_per_delivery / (cost.marginal_slowness / usual.marginal_slowness) ** elasticity
            assert explained == pytest.approx(usual.marginal_us_per_delivery, rel=0.002)


def test_a_load_of_which_the_speed_is_not_known_leaves_that_of_the_marginal_cost_unknown() -> None:
    cost = cost_of(load(40, 0, 1.0), load(90, 20), load(250, 100, 1.0))
    assert cost.fixed_slowness == pytest.approx([1])
    assert np.isnan(cost.marginal_slowness).all()


def test_a_cost_that_noise_made_nothing_in_one_block_is_not_told_by_the_luckier_blocks() -> None:
    costs = [cost_of(load(0, 0), load(90, 20), load(cpu, 100)) for cpu in (89, 95, 96, 97)]
    marginal = np.concatenate([each.marginal_us_per_delivery for each in costs])
    assert why_left_out(marginal) == "too small to measure in 1 of 4 blocks"
    assert why_left_out(marginal[1:]) is None
    assert why_left_out(np.zeros(3)) == "too small to measure in 3 of 3 blocks"


@pytest.mark.parametrize(
    ("blocks", "why"),
    [
        ([1.0, np.nan, np.nan], "measured in only 1 of 3 blocks"),
        ([1.0, np.nan], None),
        ([np.nan, np.nan], "not measured"),
    ],
)
def test_an_architecture_that_is_known_in_few_blocks_does_not_take_them_from_the_others(
    blocks: list[float], why: str | None
) -> None:
    assert why_left_out(np.array(blocks)) == why
