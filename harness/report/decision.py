"""What the blocks of a comparison decide: costs and latencies of each architecture, and a verdict on each pair."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from harness.analysis.verdicts import Answer, Verdict
from harness.core.units import figure_text
from harness.report.fitting import Column, Fitted
from harness.results.blocks import Compared, Figure

COST, LATENCY = "cost", "latency"


class ValueOf(msgspec.Struct, frozen=True, kw_only=True):
    """One figure of all architectures. The ratio of two values is the ratio of their pair."""

    name: str
    kind: str  # cost | latency
    unit: str
    values: dict[str, float]  # by architecture; empty: not measured, or not supported by the messages
    blocks: int  # the number of complete blocks that it rests on
    why_not: str | None  # why there are no values
    left_out: dict[str, str] = {}  # architectures without a value among others, and why


class Pair(msgspec.Struct, frozen=True, kw_only=True):
    """One figure of `first` over that of `second`, with its 95 % interval and the verdict."""

    figure: str
    first: str
    second: str
    ratio: float
    low: float
    high: float
    blocks: int
    answer: str  # better | equal | undecided
    better: str | None  # the architecture with the lower figure
    more_blocks: int | None  # how many more would probably decide; null: more than a thousand


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """All architectures under one load shape, at several rates."""

    scenario: str
    members: int
    rooms: int | None
    gateways: int
    payload_bytes: int
    rates_per_s: list[float]
    figures: list[ValueOf]
    pairs: list[Pair]
    unbeaten: list[str]  # no other architecture is better in one figure without being worse in another


def decision_of(compared: Compared) -> Decision:
    return Decision(
        **compared.shape,
        rates_per_s=list(compared.rates_per_s),
        figures=[
            *(_value_of(each, COST) for each in compared.costs),
            *(_value_of(each, LATENCY) for each in compared.latencies),
        ],
        pairs=[pair_of(each) for each in compared.verdicts],
        unbeaten=[name for name in compared.architectures if not _is_beaten(name, compared.verdicts)],
    )


def _value_of(figure: Figure, kind: str) -> ValueOf:
    return ValueOf(
        name=figure.name,
        kind=kind,
        unit=figure.unit,
        values=figure.values,
        blocks=figure.blocks,
        why_not=figure.why_not,
        left_out=figure.left_out,
    )


def pair_of(verdict: Verdict) -> Pair:
    contrast = verdict.contrast
    low, high = contrast.interval()
    return Pair(
        figure=contrast.figure,
        first=contrast.first,
        second=contrast.second,
        ratio=contrast.ratio,
        low=low,
        high=high,
        blocks=contrast.blocks,
        answer=verdict.answer,
        better=verdict.better,
        more_blocks=verdict.more_blocks,
    )


def _is_beaten(name: str, verdicts: Sequence[Verdict]) -> bool:
    """Whether another architecture is better in one figure, and this one is better than it in none."""
    involved = [each for each in verdicts if name in (each.contrast.first, each.contrast.second)]
    others = {each.contrast.first for each in involved} | {each.contrast.second for each in involved}
    for other in others - {name}:
        winners = {each.better for each in involved if other in (each.contrast.first, each.contrast.second)}
        if other in winners and name not in winners:
            return True
    return False


def decision_table(decision: Decision) -> Fitted:
    """A row for each architecture, the cheapest first; each figure with its ratio to the lowest of all."""
    shown = [figure for figure in decision.figures if figure.values]
    names = sorted({name for figure in shown for name in figure.values}, key=lambda name: _place(name, shown))
    columns = [Column("", names)]
    for figure in shown:
        lowest = min(figure.values.values())
        cells = [_cell(figure.values.get(name), lowest) for name in names]
        columns.append(Column(f"{figure.name}, {figure.unit}", cells, right=True))
    return Fitted(columns)


def _cell(value: float | None, lowest: float) -> str:
    return "not valid" if value is None else f"{figure_text(value)} ({value / lowest:.2f}x)"


def _place(name: str, shown: Sequence[ValueOf]) -> float:
    return next((figure.values[name] for figure in shown if name in figure.values), 0.0)


def decision_lines(decision: Decision) -> Iterator[str]:
    """Sentences about each figure: what the lowest is, who equals it, who is beaten by it, and what is undecided."""
    for figure in decision.figures:
        if not figure.values:
            yield f"{figure.name}: {figure.why_not}."
        elif len(figure.values) > 1 and figure.blocks > 1:
            yield _sentence(figure, [pair for pair in decision.pairs if pair.figure == figure.name])
        for name, why in figure.left_out.items():
            yield f"{figure.name}: n/a for {name}: {why}."
    if len(decision.unbeaten) == 1:
        yield f"Nothing beats {decision.unbeaten[0]} in any figure that it does not win back in another."
    elif decision.unbeaten:
        yield f"No other beats these in everything: {', '.join(decision.unbeaten)}. What each is better in decides."


def _sentence(figure: ValueOf, pairs: Sequence[Pair]) -> str:
    best = min(figure.values, key=lambda name: figure.values[name])
    said: dict[str, list[str]] = {Answer.BETTER: [], Answer.EQUAL: [], Answer.UNDECIDED: []}
    for name in sorted(figure.values, key=lambda name: figure.values[name]):
        if name != best:
            pair = next(each for each in pairs if {each.first, each.second} == {name, best})
            said[pair.answer].append(f"{name} {_times(pair, over=best)}{_how_many_more(pair)}")
    lowest = f"{figure.name}: {best} has the lowest, {figure_text(figure.values[best])} {figure.unit}"
    parts = [
        ("equal within 10 %", said[Answer.EQUAL]),
        ("better than", said[Answer.BETTER]),
        ("undecided", said[Answer.UNDECIDED]),
    ]
    return "; ".join([lowest, *(f"{what}: {', '.join(names)}" for what, names in parts if names)]) + "."


def turned(pair: Pair) -> Pair:
    """The same pair the other way round."""
    ends = {"ratio": 1 / pair.ratio, "low": 1 / pair.high, "high": 1 / pair.low}
    return msgspec.structs.replace(pair, first=pair.second, second=pair.first, **ends)


def _times(pair: Pair, over: str) -> str:
    shown = pair if pair.second == over else turned(pair)
    return f"{shown.ratio:.2f} times ({shown.low:.2f} to {shown.high:.2f})"


def _how_many_more(pair: Pair) -> str:
    if pair.answer != Answer.UNDECIDED:
        return ""
    if pair.more_blocks is None:
        return ", more blocks would not decide"
    return f", about {pair.more_blocks} more blocks would decide"
