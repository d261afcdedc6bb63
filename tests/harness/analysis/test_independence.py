"""The effective size of a series of messages."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.analysis.independence import independent_count

COUNT = 20_000
series = st.lists(st.integers(0, 10**9), max_size=200)


def autoregressive(seed: int, correlation: float, count: int = COUNT) -> npt.NDArray[np.float64]:
    """A stationary AR(1) series."""
    noise = np.random.default_rng(seed).standard_normal(count)
    values = np.empty(count)
    values[0] = noise[0]
    scale = (1 - correlation**2) ** 0.5
    for place in range(1, count):
        values[place] = correlation * values[place - 1] + scale * noise[place]
    return values


@pytest.mark.parametrize(("count", "at_least"), [(200, 0.8), (1_000, 0.85), (10_000, 0.93)])
def test_independent_messages_count_nearly_in_full(count: int, at_least: float) -> None:
    """The estimate errs to the side of too few, the less the more messages there are."""
    found = [independent_count(np.random.default_rng(seed).lognormal(size=count)) for seed in range(40)]
    assert at_least * count <= np.mean(found) <= count
    assert min(found) >= 0.5 * count


@pytest.mark.parametrize("correlation", [0.3, 0.5, 0.8, 0.9])
def test_an_autoregressive_series_has_its_known_effective_size(correlation: float) -> None:
    """n (1 - r) / (1 + r) by theory."""
    expected = COUNT * (1 - correlation) / (1 + correlation)
    found = [independent_count(autoregressive(seed, correlation)) for seed in range(8)]
    assert np.mean(found) == pytest.approx(expected, rel=0.15)


def test_messages_that_are_late_in_groups_count_once_a_group() -> None:
    groups = np.repeat(np.random.default_rng(1).lognormal(size=500), 20)
    assert independent_count(groups) == pytest.approx(500, rel=0.3)


def test_one_stall_counts_once_although_all_other_messages_are_independent() -> None:
    latencies = np.random.default_rng(1).lognormal(size=2_000)
    quiet = independent_count(latencies)
    latencies[700:800] += 100
    assert independent_count(latencies) < quiet / 10


@given(series, st.integers(1, 1_000), st.integers(0, 10**6))
def test_neither_unit_nor_origin_matters(values: list[int], scale: int, shift: int) -> None:
    assert independent_count([scale * value + shift for value in values]) == independent_count(values)


@given(series)
def test_it_is_at_most_the_number_of_messages_and_at_least_one(values: list[int]) -> None:
    assert min(1, len(values)) <= independent_count(values) <= len(values)


@given(st.integers(0, 1_000))
def test_equal_latencies_say_nothing_about_dependence(count: int) -> None:
    assert independent_count([5] * count) == count
