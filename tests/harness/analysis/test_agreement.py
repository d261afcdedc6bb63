"""Whether two comparisons say the same."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.analysis.agreement import Match, agreement
from harness.analysis.contrasts import Contrast
from harness.analysis.verdicts import Answer, Verdict, judge

RATIOS = {
    "better": (0.7, Answer.BETTER),
    "worse": (1.4, Answer.BETTER),
    "equal": (1.02, Answer.EQUAL),
    "undecided": (1.1, Answer.UNDECIDED),
}


def verdict(said: str, figure: str = "fixed cost", pair: tuple[str, str] = ("plan1", "redis")) -> Verdict:
    ratio, answer = RATIOS[said]
    return Verdict(Contrast(figure, *pair, math.log(ratio), 0.01, 6), answer, 0.001)


@pytest.mark.parametrize(
    ("one", "other", "match"),
    [
        ("better", "better", Match.AGREE),
        ("equal", "equal", Match.AGREE),
        ("better", "worse", Match.CONTRADICT),
        ("better", "equal", Match.DIFFER),
        ("equal", "worse", Match.DIFFER),
        ("better", "undecided", Match.OPEN),
        ("undecided", "undecided", Match.OPEN),
    ],
)
def test_each_two_answers_agree_differ_contradict_or_leave_it_open(one: str, other: str, match: Match) -> None:
    for first, second in ((one, other), (other, one)):
        (pair,) = agreement([verdict(first)], [verdict(second)])
        assert [each.match for each in pair.figures] == [match]
        assert pair.match is match


@pytest.mark.parametrize(
    ("fixed", "marginal", "match"),
    [
        (("better", "better"), ("undecided", "equal"), Match.AGREE),
        (("better", "better"), ("better", "equal"), Match.DIFFER),
        (("better", "better"), ("better", "worse"), Match.CONTRADICT),
        (("better", "equal"), ("worse", "better"), Match.CONTRADICT),
        (("undecided", "better"), ("equal", "undecided"), Match.OPEN),
    ],
)
def test_one_figure_is_enough_to_contradict_and_two_undecided_ones_agree_in_nothing(
    fixed: tuple[str, str], marginal: tuple[str, str], match: Match
) -> None:
    one, other = ([verdict(fixed[place], "fixed"), verdict(marginal[place], "marginal")] for place in (0, 1))
    (pair,) = agreement(one, other)
    assert pair.match is match
    assert [each.figure for each in pair.figures] == ["fixed", "marginal"]


def test_only_what_both_have_judged_is_compared_whichever_way_round_the_pair_is() -> None:
    one = [verdict("better"), verdict("equal", "p50"), verdict("better", pair=("plan1", "plan2"))]
    turned = verdict("worse", pair=("redis", "plan1"))
    (pair,) = agreement(one, [turned, verdict("better", pair=("plan1", "nats"))])
    assert (pair.first, pair.second) == ("plan1", "redis")
    assert pair.match is Match.AGREE
    assert agreement([], one) == []


@given(st.lists(st.tuples(st.floats(-0.5, 0.5), st.floats(0.001, 0.2)), min_size=1, max_size=6))
def test_a_comparison_never_contradicts_itself(found: list[tuple[float, float]]) -> None:
    contrasts = [Contrast(f"figure {n}", "a", "b", log, error, 6) for n, (log, error) in enumerate(found)]
    (pair,) = agreement(judge(contrasts), judge(contrasts))
    assert pair.match in {Match.AGREE, Match.OPEN}
