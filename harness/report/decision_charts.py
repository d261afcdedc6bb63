"""The charts of a decision: each figure of every architecture, and the ratios of all pairs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from harness.core.units import figure_text
from harness.report.decision import COST, LATENCY, Decision, Pair, ValueOf
from harness.report.decision_text import finding
from harness.report.forest import forest
from harness.report.style import (
    INK,
    after_bar,
    bars_size,
    chart,
    colour_names,
    colours_of,
    headline,
    plain_bars,
    tip_box,
)


@dataclass(frozen=True, slots=True)
class DecisionChart:
    """One chart, or, where the figure is not known, why there is none."""

    name: str  # of its files
    drawn: Figure | None
    instead: str = ""  # a sentence, to be shown in the place of the chart


def charts_of(decision: Decision) -> Iterator[DecisionChart]:
    """The charts in the order of the page: the costs side by side, then their ratios; then the same of latencies."""
    numbered = list(enumerate(decision.figures, start=1))
    for kind in (COST, LATENCY):
        figures = [(number, figure) for number, figure in numbered if figure.kind == kind]
        for number, figure in figures:
            pairs = _pairs(decision, figure)
            drawn = values_chart(figure, pairs) if figure.values else None
            yield DecisionChart(f"decision-{number}-values", drawn, f"{figure.name}: {figure.why_not}")
        for number, figure in figures:
            if pairs := _pairs(decision, figure):
                yield DecisionChart(f"decision-{number}-ratios", forest(figure, pairs))


def _pairs(decision: Decision, figure: ValueOf) -> list[Pair]:
    return [pair for pair in decision.pairs if pair.figure == figure.name]


def values_chart(figure: ValueOf, pairs: Sequence[Pair]) -> Figure:
    """Draw one figure of each architecture, the lowest on top, with its interval where it is known."""
    names = sorted(figure.values, key=lambda name: -figure.values[name])
    with chart(bars_size(len(names))) as (drawn, axes):
        colours = colours_of(names)
        furthest = 0.0
        for place, name in enumerate(names):
            _draw_parts(axes, figure, name, colours[name])
            value = figure.values[name]
            text, told, end = f"{figure_text(value)} {figure.unit}", "", value
            if interval := figure.intervals.get(name):
                low, high = (figure_text(each) for each in interval)
                axes.plot(interval, [place, place], color=INK, linewidth=1.5, marker="|", markersize=8)
                told, end = f", 95 % interval {low} to {high}", max(value, interval[1])
                after_bar(axes, f"{text} ({low} to {high})", end, name)
            else:
                after_bar(axes, text, end, name)
            tip_box(axes, (0, end), (place - 0.5, place + 0.5), _tip(figure, name, f"{text}{told}"))
            furthest = max(furthest, end)
        axes.set_xlim(0, (1.85 if figure.intervals else 1.3) * furthest)
        plain_bars(axes, f"{figure.name.rpartition(': ')[2]}, {figure.unit}")
        colour_names(axes, names, names)
        headline(drawn, finding(figure, pairs), n=figure.rests_on, note=_note(figure))
    return drawn


def _draw_parts(axes: Axes, figure: ValueOf, name: str, colour: str) -> None:
    """Draw the bar of an architecture: its gateways, and then, paler, its backends."""
    left = 0.0
    parts = figure.parts.get(name) or {"": figure.values[name]}
    for size, alpha in zip(parts.values(), PALER, strict=False):
        axes.barh([name], [size], left=left, color=colour, alpha=alpha, height=0.62)
        left += size


PALER = (1.0, 0.6, 0.35, 0.2)


def _tip(figure: ValueOf, name: str, value: str) -> str:
    parts = ", ".join(f"{part} {figure_text(size)}" for part, size in figure.parts.get(name, {}).items())
    made_up = f", of which {parts}" if parts else ""
    return f"{figure.short_name}, {name}: {value}{made_up}; {figure.rests_on}"


def _note(figure: ValueOf) -> str:
    if figure.kind != COST:
        return "All blocks merged"
    parts = "; pale: backends" if figure.parts else ""
    lines = "; lines: 95 % intervals of each alone, while pairs are judged by their ratios" if figure.intervals else ""
    return f"Geometric means{parts}{lines}"
