"""A claim, and the finding of its experiments."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import msgspec

from harness.experiments.claims.evidence import Evidence

HOLDS, IN_PART, DOES_NOT_HOLD, NOT_TOLD = "holds", "holds in part", "does not hold", "not told"


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


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """The verdict on a claim, and what was measured, in sentences."""

    verdict: str
    measured: list[str]
    picture: Picture | None = None


@dataclass(frozen=True, slots=True)
class Claim:
    """One claim. The texts are for readers; only `judge` reads measurements."""

    id: str
    claim: str
    source: str  # the place in the note
    tested: str
    expected: str
    experiments: tuple[str, ...]
    judge: Callable[[Evidence], Finding]


def verdict_of(parts: Sequence[bool | None]) -> str:
    """The verdict on a claim with several parts. None stands for a part that the runs cannot decide."""
    if any(part is None for part in parts):
        return NOT_TOLD
    if all(parts):
        return HOLDS
    return IN_PART if any(parts) else DOES_NOT_HOLD
