"""Fixed and marginal cost."""

from __future__ import annotations

import numpy as np
import pytest

from harness.analysis.costs import Load, cost_of


def load(cpu_ms_per_s: float, messages_per_s: float) -> Load:
    return Load(np.array([cpu_ms_per_s]), np.array([messages_per_s * 100]))


def test_fixed_is_what_an_idle_chat_costs_and_marginal_what_more_messages_cost() -> None:
    cost = cost_of(np.array([40.0]), load(90, 20), load(250, 100))
    assert cost.fixed_ms_per_s == pytest.approx([40])
    assert cost.marginal_us_per_delivery == pytest.approx([20])


def test_a_cost_that_does_not_grow_is_not_measured_instead_of_zero() -> None:
    cost = cost_of(np.array([0.0]), load(90, 20), load(89, 100))
    assert np.isnan([*cost.fixed_ms_per_s, *cost.marginal_us_per_delivery]).all()
