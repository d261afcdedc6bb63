from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.analysis.ratio import ratio_of

POSITIVE = st.floats(1e-3, 1e6)


def test_rounds_that_agree_leave_no_doubt() -> None:
    ratio = ratio_of([2.0, 4.0, 6.0], [1.0, 2.0, 3.0])
    assert ratio is not None
    assert (ratio.value, ratio.low, ratio.high) == pytest.approx((2, 2, 2))


def test_rounds_that_disagree_about_the_winner_settle_nothing() -> None:
    ratio = ratio_of([1.0, 2.0, 1.0, 2.0], [2.0, 1.0, 2.0, 1.0])
    assert ratio is not None
    assert ratio.value == pytest.approx(1)
    assert ratio.low is not None
    assert ratio.high is not None
    assert ratio.low < 1 < ratio.high


def test_one_round_has_no_interval() -> None:
    ratio = ratio_of([3.0], [2.0])
    assert ratio is not None
    assert (ratio.value, ratio.low, ratio.high) == (1.5, None, None)


@pytest.mark.parametrize(("numerators", "denominators"), [([], []), ([1.0], [0.0]), ([0.0, 1.0], [1.0, 1.0])])
def test_where_there_is_no_ratio_there_is_none(numerators: list[float], denominators: list[float]) -> None:
    assert ratio_of(numerators, denominators) is None


def test_three_rounds_leave_more_doubt_than_their_range() -> None:
    ratio = ratio_of([2.0, 2.2, 1.9], [1.0, 1.0, 1.0])
    assert ratio is not None
    assert ratio.low is not None
    assert ratio.high is not None
    assert ratio.low < 1.9
    assert ratio.high > 2.2


@given(st.lists(st.tuples(POSITIVE, POSITIVE), min_size=1, max_size=5))
def test_turning_it_round_inverts_it(pairs: list[tuple[float, float]]) -> None:
    forth = ratio_of([one for one, _ in pairs], [other for _, other in pairs])
    back = ratio_of([other for _, other in pairs], [one for one, _ in pairs])
    assert forth is not None
    assert back is not None
    assert forth.value * back.value == pytest.approx(1)
