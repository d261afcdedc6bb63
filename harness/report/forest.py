"""A forest plot: the ratio of every pair in one figure with its interval, over the band that counts as equal."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib as mpl
from matplotlib.figure import Figure

from harness.analysis.verdicts import EQUAL_HIGH, EQUAL_LOW, Answer
from harness.report.decision import Pair, ValueOf, turned
from harness.report.decision_text import pairs_finding
from harness.report.style import INK, SHADE, SHORTEST_INCHES, SIZE_INCHES, chart, colours_of, headline, tip_row

MARKERS = {Answer.BETTER: "o", Answer.EQUAL: "s", Answer.UNDECIDED: "X"}
NOTE = "Lines are 95 % intervals; shaded: equal within 10 %"


def forest(figure: ValueOf, pairs: Sequence[Pair]) -> Figure:
    """Draw the ratio of each pair with its 95 % interval, the largest on top."""
    rows = sorted((pair if pair.ratio >= 1 else turned(pair) for pair in pairs), key=lambda pair: pair.ratio)
    colours = colours_of(figure.values)
    with chart((SIZE_INCHES[0], max(SHORTEST_INCHES, 0.9 + 0.3 * len(rows)))) as (drawn, axes):
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
            tip_row(axes, height - 0.5, height + 0.5, _tip(figure, pair))
        axes.set_yticks(range(len(rows)), [f"{pair.first} / {pair.second}" for pair in rows], fontsize=10)
        axes.set_ylim(-0.6, len(rows) - 0.4)
        axes.set_xscale("log")
        low, high = min(EQUAL_LOW, *(pair.low for pair in rows)), max(EQUAL_HIGH, *(pair.high for pair in rows))
        axes.set_xlim(low / 1.05, high * 1.05)
        axes.xaxis.set_major_locator(mpl.ticker.FixedLocator(_ticks(low, high)))
        axes.xaxis.set_major_formatter(mpl.ticker.FuncFormatter(lambda value, _: f"{value:g}"))
        axes.xaxis.set_minor_locator(mpl.ticker.NullLocator())
        axes.set_xlabel(f"ratio of {figure.short_name}, times")
        axes.set_ylabel("pair")
        headline(drawn, pairs_finding(figure, pairs), n=figure.rests_on, note=NOTE)
    return drawn


FINE = (0.5, 0.6, 0.7, 0.8, 0.9, 1, 1.2, 1.4, 1.6, 1.8, 2)
MEDIUM = (0.2, 0.3, 0.5, 0.7, 1, 1.5, 2, 3, 4, 5, 7, 10)
COARSE = tuple(digit * 10.0**power for power in range(-4, 7) for digit in (1, 2, 5))
TICKS_MAX = 8


def _ticks(low: float, high: float) -> list[float]:
    """Round numbers within the range, not too many of them."""
    for ticks in (FINE, MEDIUM, COARSE):
        shown = [each for each in ticks if low / 1.05 <= each <= high * 1.05]
        if ticks[0] <= low * 1.2 and high <= ticks[-1] * 1.2 and len(shown) <= TICKS_MAX:
            return shown
    return [10.0**power for power in range(-4, 7) if low <= 10.0**power <= high] or [1.0]


def _verdict(pair: Pair) -> str:
    return f"{pair.better} is better" if pair.better else str(pair.answer)


def _tip(figure: ValueOf, pair: Pair) -> str:
    said = (
        f"{figure.short_name}, {pair.first} / {pair.second}: {pair.ratio:.2f} times, "
        f"95 % interval {pair.low:.2f} to {pair.high:.2f}, {_verdict(pair)}"
    )
    if pair.more_blocks:
        said += f", about {pair.more_blocks} more {'block' if pair.more_blocks == 1 else 'blocks'} would decide"
    return f"{said}; {figure.rests_on}"
