"""A contrast supports what was expected of it, or does not, or leaves it undecided."""

from __future__ import annotations

import math

import pandas as pd
import pytest

from harness.analysis.contrasts import Contrast
from harness.analysis.verdicts import judge
from harness.experiments.claims.claim import verdict_of
from harness.experiments.claims.evidence import Evidence
from harness.experiments.claims.findings import (
    NOT_SUPPORTED,
    SUPPORTED,
    UNDECIDED,
    Compared,
    Relation,
    answer_to,
    findings_of,
)

NOTHING = Evidence(pd.DataFrame(), [])


def contrast(ratio: float, error: float) -> Contrast:
    return Contrast("figure", "one", "other", math.log(ratio), error, blocks=5)


@pytest.mark.parametrize(
    ("ratio", "error", "answers"),
    [
        # less, more, equal, not more
        (0.5, 0.01, (SUPPORTED, NOT_SUPPORTED, NOT_SUPPORTED, SUPPORTED)),
        (2.0, 0.01, (NOT_SUPPORTED, SUPPORTED, NOT_SUPPORTED, NOT_SUPPORTED)),
        (1.02, 0.001, (NOT_SUPPORTED, NOT_SUPPORTED, SUPPORTED, SUPPORTED)),
        (1.02, 0.5, (UNDECIDED, UNDECIDED, UNDECIDED, UNDECIDED)),
        (0.97, 0.04, (UNDECIDED, UNDECIDED, UNDECIDED, SUPPORTED)),
        # It leaves out 1, but a difference of ten percent is neither shown nor ruled out.
        (1.08, 0.015, (NOT_SUPPORTED, SUPPORTED, UNDECIDED, UNDECIDED)),
    ],
)
def test_a_contrast_answers_each_expectation(ratio: float, error: float, answers: tuple[str, ...]) -> None:
    (verdict,) = judge([contrast(ratio, error)])
    assert tuple(answer_to(relation, verdict) for relation in Relation) == answers


def test_the_contrasts_of_a_claim_are_judged_together() -> None:
    """Alone it is a difference; as one of ten it may be chance."""
    alone = Compared("one is more", Relation.MORE, lambda _: contrast(1.3, 0.075))
    other = Compared("another one is", Relation.MORE, lambda _: contrast(1.0, 0.075))
    assert [each.answer for each in findings_of([alone], NOTHING)] == [SUPPORTED]
    together = findings_of([alone, *(9 * [other])], NOTHING)
    assert together[0].answer == UNDECIDED
    assert together[0].n == 5
    assert "n = 5 rounds; p = " in together[0].measured
    assert "more rounds would probably decide it" in together[0].measured


@pytest.mark.parametrize(
    ("answers", "verdict"),
    [
        ((SUPPORTED, SUPPORTED), SUPPORTED),
        ((SUPPORTED, UNDECIDED), UNDECIDED),
        ((UNDECIDED, NOT_SUPPORTED), NOT_SUPPORTED),
        ((), UNDECIDED),
    ],
)
def test_a_claim_is_supported_if_every_finding_is(answers: tuple[str, ...], verdict: str) -> None:
    assert verdict_of(answers) == verdict
