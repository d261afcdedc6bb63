"""Charts of a decision: the ratio of every pair with its interval, and the costs of each architecture."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib as mpl
from matplotlib.figure import Figure

from harness.analysis.verdicts import EQUAL_HIGH, EQUAL_LOW, Answer
from harness.core.units import figure_text
from harness.report.decision import COST, Decision, Pair, ValueOf, turned
from harness.report.style import INK, SHADE, after_bar, bars_size, chart, colour_names, colours_of, plain_bars

MARKERS = {Answer.BETTER: "o", Answer.EQUAL: "s", Answer.UNDECIDED: "x"}


def forest(figure: ValueOf, pairs: Sequence[Pair]) -> Figure:
    """Draw the ratio of each pair with its 95 % interval, the largest on top, over the band that counts as equal."""
    rows = sorted((pair if pair.ratio >= 1 else turned(pair) for pair in pairs), key=lambda pair: pair.ratio)
    colours = colours_of(figure.values)
    with chart((6.4, 1.3 + 0.36 * len(rows))) as (drawn, axes):
        axes.axvspan(EQUAL_LOW, EQUAL_HIGH, color=SHADE, zorder=0)
        axes.axvline(1, color=INK, linewidth=0.8)
        for height, pair in enumerate(rows):
            colour = colours[pair.better] if pair.better else INK
            axes.plot([pair.low, pair.high], [height, height], color=colour, linewidth=2)
            axes.plot([pair.ratio], [height], marker=MARKERS[Answer(pair.answer)], color=colour, markersize=7)
            axes.annotate(
                _verdict(pair),
                (1.02, height),
                xycoords=("axes fraction", "data"),
                va="center",
                fontsize=10,
                color=colour,
            )
        axes.set_yticks(range(len(rows)), [f"{pair.first} / {pair.second}" for pair in rows], fontsize=10)
        axes.set_ylim(-0.6, len(rows) - 0.4)
        axes.set_xscale("log")
        low, high = min(EQUAL_LOW, *(pair.low for pair in rows)), max(EQUAL_HIGH, *(pair.high for pair in rows))
        axes.set_xlim(low / 1.05, high * 1.05)
        axes.xaxis.set_major_locator(
            mpl.ticker.LogLocator(subs=(1, 2, 5) if high > 4 * low else (0.8, 1, 1.2, 1.5, 2, 3))
        )
        axes.xaxis.set_major_formatter(mpl.ticker.FuncFormatter(lambda value, _: f"{value:g}"))
        axes.xaxis.set_minor_formatter(mpl.ticker.NullFormatter())
        axes.set_xlabel(
            f"ratio, with 95 % intervals over {figure.blocks} blocks; shaded: equal within 10 %", fontsize=10
        )
    return drawn


def _verdict(pair: Pair) -> str:
    return f"{pair.better} is better" if pair.better else str(pair.answer)


def values_chart(figure: ValueOf) -> Figure:
    """Draw one figure of each architecture, the lowest on top."""
    names = sorted(figure.values, key=lambda name: -figure.values[name])
    with chart(bars_size(len(names))) as (drawn, axes):
        colours = colours_of(names)
        axes.barh(names, [figure.values[name] for name in names], color=[colours[name] for name in names], height=0.62)
        for name in names:
            after_bar(axes, f"{figure_text(figure.values[name])} {figure.unit}", figure.values[name], name)
        axes.set_xlim(0, 1.25 * max(figure.values.values()))
        plain_bars(axes, f"{figure.unit}; geometric means over {figure.blocks} blocks")
        colour_names(axes, names, names)
    return drawn


def charts_of(decision: Decision) -> list[tuple[str, str, Figure]]:
    """The name, the title and the drawing of every chart of a decision."""
    found = []
    for number, figure in enumerate((each for each in decision.figures if each.values), start=1):
        lowest = min(figure.values, key=lambda name: figure.values[name])
        if figure.kind == COST:
            found.append((f"decision-{number}-values", f"{figure.name}: {lowest} has the lowest", values_chart(figure)))
        if pairs := [pair for pair in decision.pairs if pair.figure == figure.name]:
            title = f"{figure.name}: {_summary(pairs)}"
            found.append((f"decision-{number}-ratios", title, forest(figure, pairs)))
    return found


def _summary(pairs: Sequence[Pair]) -> str:
    counts = {answer: sum(pair.answer == answer for pair in pairs) for answer in Answer}
    return (
        f"of {len(pairs)} pairs, {counts[Answer.BETTER]} differ, {counts[Answer.EQUAL]} are equal within 10 %, "
        f"{counts[Answer.UNDECIDED]} are undecided"
    )
