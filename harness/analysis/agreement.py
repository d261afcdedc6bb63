"""Whether two comparisons of the same load, made one after the other, say the same."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from harness.analysis.verdicts import Answer, Verdict


class Match(StrEnum):
    AGREE = "agree"  # both say the same: equal, or the same one is better
    DIFFER = "differ"  # one says equal, the other better: which happens where the ratio is close to the end of equal
    CONTRADICT = "contradict"  # the one that is better in one is worse in the other
    OPEN = "open"  # at least one of them is undecided


@dataclass(frozen=True, slots=True)
class SameFigure:
    """The verdicts of two comparisons on the same figure of the same pair."""

    one: Verdict
    other: Verdict

    @property
    def figure(self) -> str:
        return self.one.contrast.figure

    @property
    def match(self) -> Match:
        answers = (self.one.answer, self.other.answer)
        if Answer.UNDECIDED in answers:
            return Match.OPEN
        if answers == (Answer.BETTER, Answer.BETTER) and self.one.better != self.other.better:
            return Match.CONTRADICT
        return Match.AGREE if answers[0] == answers[1] else Match.DIFFER


@dataclass(frozen=True, slots=True)
class SamePair:
    """What two comparisons say of the same pair of architectures, figure by figure."""

    first: str
    second: str
    figures: Sequence[SameFigure]

    @property
    def match(self) -> Match:
        """They agree if they decide at least one figure alike, and every figure that both decide."""
        found = {each.match for each in self.figures}
        return next(match for match in (Match.CONTRADICT, Match.DIFFER, Match.AGREE, Match.OPEN) if match in found)


def agreement(one: Sequence[Verdict], other: Sequence[Verdict]) -> list[SamePair]:
    """Return the pairs that both comparisons judged, in the order of `one`, with the figures that both judged."""
    theirs = {_key(verdict): verdict for verdict in other}
    pairs: dict[frozenset[str], list[SameFigure]] = {}
    for verdict in one:
        if (same := theirs.get(_key(verdict))) is not None:
            pairs.setdefault(_pair(verdict), []).append(SameFigure(verdict, same))
    return [
        SamePair(figures[0].one.contrast.first, figures[0].one.contrast.second, figures) for figures in pairs.values()
    ]


def _pair(verdict: Verdict) -> frozenset[str]:
    return frozenset((verdict.contrast.first, verdict.contrast.second))


def _key(verdict: Verdict) -> tuple[str, frozenset[str]]:
    return verdict.contrast.figure, _pair(verdict)
