"""A finding is one sentence that measurements can refute. It rests on counts, or on a contrast with an interval.

All contrasts of a claim are judged together, so that the chance of one false difference among them is at most 5 %
(Holm; see harness/analysis/verdicts.py). What was not measured leaves its finding undecided.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum

import msgspec

from harness.analysis.contrasts import Contrast
from harness.analysis.verdicts import EQUAL_HIGH, EQUAL_LOW, Answer, Verdict, judge
from harness.experiments.claims.evidence import Evidence, InsufficientData

SUPPORTED, NOT_SUPPORTED, UNDECIDED = "supported", "not supported", "undecided"


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One finding of a claim. `ratio`, `low` and `high` are None where it rests on counts, or was not measured."""

    finding: str
    answer: str
    measured: str
    n: int | None = None  # independent observations behind it; None: it was not measured
    n_of: str = ""  # what they are: rounds, messages, joins
    ratio: float | None = None
    low: float | None = None
    high: float | None = None
    holm_p: float | None = None


@dataclass(frozen=True, slots=True)
class Count:
    """What was counted, as text, and whether it is as expected; None: too little was counted to tell."""

    is_as_expected: bool | None
    measured: str
    n: int
    n_of: str


class Relation(Enum):
    """How the first figure of a contrast is expected to relate to the second."""

    LESS = "less"
    MORE = "more"
    EQUAL = "equal"  # within 10 %
    NOT_MORE = "not more"  # by 10 % or above


@dataclass(frozen=True, slots=True)
class Counted:
    """A finding to be made from counts. `count` may raise InsufficientData."""

    finding: str
    count: Callable[[Evidence], Count]


@dataclass(frozen=True, slots=True)
class Compared:
    """A finding to be made from a contrast. `contrast` may raise InsufficientData."""

    finding: str
    relation: Relation
    contrast: Callable[[Evidence], Contrast]


def findings_of(expected: Sequence[Counted | Compared], evidence: Evidence) -> list[Finding]:
    """All findings of a claim, in their order. What was not measured is undecided, and says why."""
    measured = [_measured(each, evidence) for each in expected]
    contrasts = {place: found for place, found in enumerate(measured) if isinstance(found, Contrast)}
    verdicts = dict(zip(contrasts, judge(list(contrasts.values())), strict=True))
    findings = []
    for place, (each, found) in enumerate(zip(expected, measured, strict=True)):
        if isinstance(found, InsufficientData):
            findings.append(Finding(finding=each.finding, answer=UNDECIDED, measured=f"not measured: {found}"))
        elif isinstance(found, Count):
            findings.append(_counted(each.finding, found))
        elif isinstance(each, Compared):
            findings.append(_compared(each, verdicts[place]))
    return findings


def _measured(expected: Counted | Compared, evidence: Evidence) -> Count | Contrast | InsufficientData:
    try:
        return expected.count(evidence) if isinstance(expected, Counted) else expected.contrast(evidence)
    except InsufficientData as problem:
        return problem


ANSWERS = {True: SUPPORTED, False: NOT_SUPPORTED, None: UNDECIDED}


def _counted(finding: str, found: Count) -> Finding:
    return Finding(
        finding=finding,
        answer=ANSWERS[found.is_as_expected],
        measured=f"{found.measured} (n = {found.n:,} {found.n_of})",
        n=found.n,
        n_of=found.n_of,
    )


def _compared(expected: Compared, verdict: Verdict) -> Finding:
    contrast = verdict.contrast
    low, high = contrast.interval()
    answer = answer_to(expected.relation, verdict)
    return Finding(
        finding=expected.finding,
        answer=answer,
        measured=f"{contrast.ratio:.2f} times ({low:.2f} to {high:.2f}; n = {contrast.blocks} rounds"
        f"{_p_text(expected.relation, verdict.holm_p)}){_outlook(answer, verdict)}",
        n=contrast.blocks,
        n_of="rounds",
        ratio=round(contrast.ratio, DIGITS),
        low=round(low, DIGITS),
        high=round(high, DIGITS),
        holm_p=round(verdict.holm_p, DIGITS),
    )


def answer_to(relation: Relation, verdict: Verdict) -> str:
    """Whether the verdict on a contrast is what was expected of it.

    A difference that is expected is not supported if the figures are equal within 10 %, or if the other one is lower.
    "Equal" and "not more" are about ten percent: they are supported if the interval lies on the right side of what
    counts as equal, and not supported if it lies on the wrong side, whether or not it leaves out 1.
    """
    low, high = verdict.contrast.interval()
    if relation is Relation.NOT_MORE:
        return _beyond(supported=high < EQUAL_HIGH, refuted=low > EQUAL_HIGH)
    if relation is Relation.EQUAL:
        return _beyond(supported=low > EQUAL_LOW and high < EQUAL_HIGH, refuted=low > EQUAL_HIGH or high < EQUAL_LOW)
    if verdict.answer is Answer.UNDECIDED:
        return UNDECIDED
    if verdict.answer is Answer.EQUAL:
        return NOT_SUPPORTED
    first_is_lower = verdict.better == verdict.contrast.first
    return SUPPORTED if first_is_lower is (relation is Relation.LESS) else NOT_SUPPORTED


def _beyond(*, supported: bool, refuted: bool) -> str:
    return SUPPORTED if supported else NOT_SUPPORTED if refuted else UNDECIDED


DIGITS = 4  # of what findings.json has


def _p_text(relation: Relation, p_value: float) -> str:
    """The p-value of a ratio other than 1. Whether a ratio is not more, its interval says alone."""
    if relation is Relation.NOT_MORE:
        return ""
    return "; p < 0.001" if p_value < 0.001 else f"; p = {p_value:.2g}"


def _outlook(answer: str, verdict: Verdict) -> str:
    """How many more rounds would decide what is undecided, where that is known."""
    more = verdict.more_blocks
    if answer != UNDECIDED or not more:
        return ""
    return f"; {more:,} more round{'' if more == 1 else 's'} would probably decide it"
