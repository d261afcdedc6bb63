"""What a claim is, and what an experiment says of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import msgspec

from harness.experiments.claims.evidence import Evidence

HOLDS, IN_PART, DOES_NOT_HOLD, NOT_TOLD = "holds", "holds in part", "does not hold", "not told"


class Panel(msgspec.Struct, frozen=True):
    """One quantity: a bar for each label of its picture, and where it should end if the expectation is right."""

    title: str
    values: list[float | None]  # None: there is none
    expected: list[float | None] = []


class Picture(msgspec.Struct, frozen=True):
    """Panels side by side that share their labels. `archs`: whose colour each label's bars have."""

    labels: list[str]
    archs: list[str]
    panels: list[Panel]


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """What was measured, in sentences, and what that means for the claim."""

    verdict: str
    measured: list[str]
    picture: Picture | None = None


@dataclass(frozen=True, slots=True)
class Claim:
    """One claim. The texts are for people; `judge` is the only place where measurements are read."""

    id: str
    claim: str
    source: str  # where in the note
    tested: str
    expected: str
    experiments: tuple[str, ...]
    judge: Callable[[Evidence], Finding]


def verdict_of(parts: Sequence[bool | None]) -> str:
    """Of a claim with several parts; None: a part that the runs could not tell."""
    if any(part is None for part in parts):
        return NOT_TOLD
    if all(parts):
        return HOLDS
    return IN_PART if any(parts) else DOES_NOT_HOLD
