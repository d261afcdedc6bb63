"""Whether unit costs can be told apart."""

from __future__ import annotations

import numpy as np
import pytest

from harness.experiments.costs.identification import identify


def test_units_that_vary_apart_have_a_condition_number_and_factors_of_one() -> None:
    identification, kept = identify(("a", "b"), np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0], [0.0, 1.0]]))
    assert kept == [0, 1]
    assert identification.condition == pytest.approx(1.0)
    assert identification.inflation == pytest.approx({"a": 1.0, "b": 1.0})
    assert not identification.uncertain


def test_two_units_at_an_angle_have_the_factor_that_follows_from_it() -> None:
    cosine = 0.99
    amounts = np.array([[1.0, cosine], [0.0, np.sqrt(1 - cosine**2)]])
    identification, _ = identify(("a", "b"), amounts)
    assert identification.inflation["a"] == pytest.approx(1 / (1 - cosine**2))
    assert identification.condition == pytest.approx(np.sqrt((1 + cosine) / (1 - cosine)))
    assert identification.uncertain == ["a", "b"]


def test_units_in_proportion_are_one_and_units_that_never_occurred_are_none() -> None:
    amounts = np.array([[1.0, 2.0, 0.0, 1.0], [2.0, 4.0, 0.0, 0.5], [3.0, 6.0, 0.0, 7.0]])
    identification, kept = identify(("message", "copy", "fetch", "server"), amounts)
    assert kept == [0, 3]
    assert identification.merged == {"copy": "message"}
    assert identification.absent == ["fetch"]
