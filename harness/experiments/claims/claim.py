"""A claim, and what its experiments say about it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import msgspec

from harness.experiments.claims.evidence import Evidence
from harness.experiments.claims.findings import NOT_SUPPORTED, SUPPORTED, UNDECIDED, Finding


class Panel(msgspec.Struct, frozen=True):
    """One quantity: a bar for each label of the picture, and the expected value of each bar."""

    title: str
    values: list[float | None]  # None: not measured
    expected: list[float | None] = []


class Picture(msgspec.Struct, frozen=True):
    """Panels side by side that share their labels. `archs` gives the colour of each label's bars."""

    labels: list[str]
    archs: list[str]
    panels: list[Panel]
    runs: int = 0  # that it rests on


class Judgement(msgspec.Struct, frozen=True, kw_only=True):
    """The findings of a claim; the notes say what was measured beside them, and decide nothing."""

    findings: list[Finding]
    notes: list[str] = []
    picture: Picture | None = None

    @property
    def verdict(self) -> str:
        return verdict_of([each.answer for each in self.findings])


@dataclass(frozen=True, slots=True)
class Claim:
    """One claim. The texts are for readers; only `judge` reads measurements."""

    id: str
    claim: str
    source: str  # the place in the note
    tested: str
    expected: str
    experiments: tuple[str, ...]
    judge: Callable[[Evidence], Judgement]


def verdict_of(answers: Sequence[str]) -> str:
    """The verdict on a claim: supported if each finding is, not supported if one finding is not, else undecided."""
    if NOT_SUPPORTED in answers:
        return NOT_SUPPORTED
    return SUPPORTED if answers and set(answers) == {SUPPORTED} else UNDECIDED
