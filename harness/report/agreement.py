"""Whether comparisons that were made of the same load say the same: pair by pair, and figure by figure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import combinations
from pathlib import Path

import msgspec

from harness.analysis.agreement import Match, SameFigure, SamePair, agreement
from harness.analysis.verdicts import Answer
from harness.experiments.comparison import PLAN
from harness.report.decision import Pair, pair_of, turned
from harness.results.blocks import Compared, compared
from harness.results.frames import read_records
from harness.results.reading import leaving_out


class FigureAgreement(msgspec.Struct, frozen=True, kw_only=True):
    """One figure of a pair in both comparisons, the same way round."""

    figure: str
    match: str  # agree | differ | contradict | open
    one: Pair
    other: Pair


class PairAgreement(msgspec.Struct, frozen=True, kw_only=True):
    """What both comparisons say of one pair of architectures."""

    first: str
    second: str
    match: str  # agree | differ | contradict | open
    figures: list[FigureAgreement]


class Agreement(msgspec.Struct, frozen=True, kw_only=True):
    """Two comparisons of the same load shape, and how far they agree."""

    one: str  # a folder
    other: str
    scenario: str
    pairs: list[PairAgreement]
    why_not: str | None = None  # why no pair of theirs can be set side by side


def agreements_of(folders: Sequence[Path]) -> list[Agreement]:
    """Compare the verdicts of each two of these folders that `chatbench compare` made of the same load shape."""
    made = [(folder, _decided(folder)) for folder in dict.fromkeys(folders) if (folder / PLAN).is_file()]
    return [
        _agreement(str(one), str(other), here, there)
        for (one, ours), (other, theirs) in combinations(made, 2)
        for here in ours
        for there in theirs
        if here.shape == there.shape
    ]


def _decided(folder: Path) -> list[Compared]:
    return [each for each in compared(read_records([folder], leaving_out([]))) if each.decides]


def _agreement(one: str, other: str, here: Compared, there: Compared) -> Agreement:
    if here.rates_per_s != there.rates_per_s:
        why_not = f"{one} was measured at {_rates(here)}, and {other} at {_rates(there)}"
        return Agreement(one=one, other=other, scenario=str(here.shape["scenario"]), pairs=[], why_not=why_not)
    pairs = [_pair_agreement(each) for each in agreement(here.verdicts, there.verdicts)]
    return Agreement(one=one, other=other, scenario=str(here.shape["scenario"]), pairs=pairs)


def _rates(compared: Compared) -> str:
    return f"{' and '.join(f'{rate_per_s:g}' for rate_per_s in compared.rates_per_s)} msg/s"


def _pair_agreement(pair: SamePair) -> PairAgreement:
    figures = [_figure_agreement(each) for each in pair.figures]
    return PairAgreement(first=pair.first, second=pair.second, match=pair.match, figures=figures)


def _figure_agreement(same: SameFigure) -> FigureAgreement:
    one, other = pair_of(same.one), pair_of(same.other)
    other = other if other.first == one.first else turned(other)
    return FigureAgreement(figure=same.figure, match=same.match, one=one, other=other)


def agreement_lines(found: Agreement) -> Iterator[str]:
    """Sentences: how many pairs agree, and everything in which two comparisons do not."""
    if found.why_not is not None:
        yield f"Whether {found.one} and {found.other} agree cannot be told: {found.why_not}."
        return
    count = Counter(pair.match for pair in found.pairs)
    yield (
        f"Of {len(found.pairs)} pairs that {found.one} and {found.other} both compared, {count[Match.AGREE]} agree and "
        f"{count[Match.CONTRADICT]} contradict each other{_rest(count)}."
    )
    for match, what in ((Match.CONTRADICT, "CONTRADICTION"), (Match.DIFFER, "difference")):
        for each in (each for pair in found.pairs for each in pair.figures if each.match == match):
            yield f"{what}: {each.figure}: {_said(each.one)} in {found.one}, {_said(each.other)} in {found.other}."


def _rest(count: Counter[str]) -> str:
    parts = []
    if differ := count[Match.DIFFER]:
        parts.append(f"{differ} {'differs' if differ == 1 else 'differ'} (better in one, equal in the other)")
    if left_open := count[Match.OPEN]:
        parts.append(f"{left_open} {'is' if left_open == 1 else 'are'} not decided by both")
    return "".join(f"; {part}" for part in parts)


def _said(pair: Pair) -> str:
    ratio = f"{pair.first} is {pair.ratio:.2f} times {pair.second} ({pair.low:.2f} to {pair.high:.2f})"
    return f"{ratio}, {'equal within 10 %' if pair.answer == Answer.EQUAL else f'{pair.better} is better'}"
