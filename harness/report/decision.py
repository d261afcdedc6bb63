"""What the blocks of a comparison decide: costs and latencies of each architecture, and a verdict on each pair."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import msgspec

from harness.analysis.verdicts import Verdict
from harness.report.recommendation import recommend
from harness.report.verdict import Recommendation
from harness.results.blocks import Compared, Figure
from harness.results.frames import Frames

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
    intervals: dict[str, list[float]] = {}  # the 95 % interval of each value by itself, low and high; empty: not known
    parts: dict[str, dict[str, float]] = {}  # by architecture, what a cost is made up of, by component
    rate_per_s: float | None = None  # at which a latency was measured; null: not a latency
    percentile: float | None = None  # of the latencies; null: not a latency
    messages: int | None = None  # that a latency rests on, of the architecture with the fewest; null: not a latency

    @property
    def short_name(self) -> str:
        """The name without its explanation."""
        return self.name.partition(":")[0]

    @property
    def rests_on(self) -> str:
        blocks = f"{self.blocks} block{'' if self.blocks == 1 else 's'}"
        return blocks if self.messages is None else f"{blocks}, {self.messages:,} messages or more of each architecture"

    @property
    def best(self) -> str:
        """The architecture with the lowest value."""
        return min(self.values, key=lambda name: (self.values[name], name))


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
    verdict: Recommendation
    cold_brokers: str | None = None  # why Kafka's brokers were not warm, and what that means; null: they were, or none


def decision_of(compared: Compared, frames: Frames) -> Decision:
    """The decision on one load shape. `frames` are of all its runs, also of architectures that were left out."""
    return Decision(
        **compared.shape,
        rates_per_s=list(compared.rates_per_s),
        figures=[
            *(_value_of(each, COST) for each in compared.costs),
            *(_value_of(each, LATENCY) for each in compared.latencies),
        ],
        pairs=[pair_of(each) for each in compared.verdicts],
        unbeaten=unbeaten(compared.architectures, compared.verdicts),
        verdict=recommend(frames, compared.architectures, lambda names: unbeaten(names, compared.verdicts)),
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
        intervals={name: list(interval) for name, interval in figure.intervals.items()},
        parts=figure.parts,
        rate_per_s=figure.rate_per_s,
        percentile=figure.percentile,
        messages=figure.messages,
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


def unbeaten(names: Collection[str], verdicts: Sequence[Verdict]) -> list[str]:
    """Those of the names that none of the others beats; all of them, if they beat one another in a circle.

    An architecture that was left out of every figure is not among them: it was compared with nobody.
    """
    judged = {name for each in verdicts for name in (each.contrast.first, each.contrast.second)}
    found = [
        name
        for name in names
        if name in judged and not any(_beats(other, name, verdicts) for other in names if other != name)
    ]
    return found or list(names)


def _beats(one: str, other: str, verdicts: Sequence[Verdict]) -> bool:
    """Whether one is better than the other in a figure, and worse in none."""
    winners = {each.better for each in verdicts if {each.contrast.first, each.contrast.second} == {one, other}}
    return one in winners and other not in winners


def with_latencies(decision: Decision, rate_per_s: float) -> set[str]:
    """The architectures whose latencies at that rate could be compared, at least by their medians."""
    return {name for each in _latencies_at(decision, rate_per_s, 50.0) for name in each.values}


def without_tails(decision: Decision, rate_per_s: float) -> set[str]:
    """The architectures that must not be compared at that rate by more than their medians: the driver was too late."""
    return {name for each in _latencies_at(decision, rate_per_s, 99.0) for name in each.left_out}


def _latencies_at(decision: Decision, rate_per_s: float, percentile: float) -> list[ValueOf]:
    return [each for each in decision.figures if (each.rate_per_s, each.percentile) == (rate_per_s, percentile)]


def pair_between(pairs: Sequence[Pair], figure: str, one: str, other: str) -> Pair | None:
    """The pair of these two in this figure, whichever comes first; None if they were not compared."""
    ends = {one, other}
    return next((each for each in pairs if each.figure == figure and {each.first, each.second} == ends), None)


def turned(pair: Pair) -> Pair:
    """The same pair the other way round."""
    ends = {"ratio": 1 / pair.ratio, "low": 1 / pair.high, "high": 1 / pair.low}
    return msgspec.structs.replace(pair, first=pair.second, second=pair.first, **ends)
