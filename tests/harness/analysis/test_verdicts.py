"""Better, equal within 10 %, or undecided."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.analysis.contrasts import Contrast
from harness.analysis.verdicts import Answer, Verdict, judge


def contrast(ratio: float, standard_error: float, blocks: int = 8) -> Contrast:
    return Contrast("cpu", "plan1", "redis", math.log(ratio), standard_error, blocks)


def test_an_interval_inside_ten_percent_is_equal_even_where_it_leaves_out_1() -> None:
    (verdict,) = judge([contrast(1.04, 0.01)])
    assert verdict.contrast.interval()[0] > 1
    assert verdict.answer is Answer.EQUAL
    assert verdict.better is None


@pytest.mark.parametrize(("ratio", "name"), [(1.5, "redis"), (1 / 1.5, "plan1")])
def test_the_lower_figure_is_better(ratio: float, name: str) -> None:
    (verdict,) = judge([contrast(ratio, 0.05)])
    assert verdict.answer is Answer.BETTER
    assert verdict.better == name


def test_a_difference_that_one_of_forty_may_show_by_chance_is_undecided() -> None:
    alone = judge([contrast(1.15, 0.05)])
    among_forty = judge([contrast(1.15, 0.05), *[contrast(1.0, 0.05)] * 39])
    assert alone[0].answer is Answer.BETTER
    assert among_forty[0].answer is Answer.UNDECIDED
    assert among_forty[0].more_blocks is not None
    assert among_forty[0].more_blocks > 0


def test_more_blocks_are_told_for_what_is_undecided_and_they_would_decide() -> None:
    (undecided,) = judge([contrast(1.02, 0.08)])
    assert undecided.answer is Answer.UNDECIDED
    assert undecided.more_blocks is not None
    blocks = 8 + undecided.more_blocks
    (later,) = judge([contrast(1.02, 0.08 * math.sqrt(8 / blocks), blocks)])
    assert later.answer is Answer.EQUAL
    assert later.more_blocks == 0


@pytest.mark.parametrize("others", [0, 89])
def test_the_blocks_that_would_decide_allow_for_as_many_contrasts_as_the_p_value_although_it_ends_at_1(
    others: int,
) -> None:
    def among(standard_error: float, blocks: int) -> Verdict:
        return judge([contrast(1.12, standard_error, blocks)] * (1 + others))[0]

    undecided = among(0.1, 6)
    assert undecided.holm_p == (1.0 if others else pytest.approx(0.3085, abs=1e-3))
    assert undecided.more_blocks == (57 if others else 15)
    blocks = 6 + undecided.more_blocks
    assert among(0.1 * math.sqrt(6 / blocks), blocks).answer is Answer.BETTER
    assert among(0.1 * math.sqrt(6 / (blocks - 1)), blocks - 1).answer is Answer.UNDECIDED


def test_no_number_of_blocks_is_told_where_a_thousand_would_not_do() -> None:
    (verdict,) = judge([contrast(1.0, 3.0)])
    assert verdict.answer is Answer.UNDECIDED
    assert verdict.more_blocks is None


def test_nothing_is_judged_where_nothing_was_compared() -> None:
    assert judge([]) == []


@pytest.mark.slow
def test_p_values_are_adjusted_as_another_implementation_does_it() -> None:
    from statsmodels.stats.multitest import multipletests  # noqa: PLC0415 - takes half a second

    ratios_and_errors = [(1.2, 0.05), (1.2, 0.05), (1.02, 0.5), (0.5, 0.0), (0.9, 0.03), (1.0, 0.0), (1.1, 0.04)]
    contrasts = [contrast(ratio, error) for ratio, error in ratios_and_errors]
    expected = multipletests([each.p_value for each in contrasts], method="holm")[1]
    assert [each.holm_p for each in judge(contrasts)] == pytest.approx(expected)


@given(st.lists(st.tuples(st.floats(0.3, 3), st.floats(0.001, 0.5)), min_size=1, max_size=12))
def test_whom_a_verdict_calls_better_does_not_depend_on_the_order_of_the_two(given: list[tuple[float, float]]) -> None:
    forwards = judge([contrast(ratio, error) for ratio, error in given])
    backwards = judge([Contrast("cpu", "redis", "plan1", -math.log(ratio), error, 8) for ratio, error in given])
    assert [each.answer for each in forwards] == [each.answer for each in backwards]
    assert [each.better for each in forwards] == [each.better for each in backwards]
