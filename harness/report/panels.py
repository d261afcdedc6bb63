"""Panels of bars side by side: what a claim's experiment gave, and what was expected."""

from __future__ import annotations

from matplotlib.figure import Figure

from harness.core.units import figure_text
from harness.experiments.claims.claim import Panel, Picture
from harness.report.style import INK, after_bar, colours_of, plain_bars, this_style

PANEL_INCHES = 2.5
LABELS_INCHES = 1.9


def draw_panels(picture: Picture) -> Figure:
    """A bar for each label in each panel, in its architecture's colour; a mark where it was expected to end."""
    bars = len(picture.labels)
    with this_style():
        size = (LABELS_INCHES + PANEL_INCHES * len(picture.panels), 1.0 + 0.42 * bars)
        figure = Figure(figsize=size, layout="constrained")
        every = figure.subplots(1, len(picture.panels), sharey=True, squeeze=False)[0]
        colours = colours_of(picture.archs)
        for axes, panel in zip(every, picture.panels, strict=True):
            ends = _ends(panel)
            places = range(bars - 1, -1, -1)  # the first label on top
            for place, arch, value, expected in zip(places, picture.archs, panel.values, ends, strict=True):
                axes.barh(place, value or 0, color=colours[arch], height=0.66)
                after_bar(axes, "-" if value is None else figure_text(value), max(value or 0, expected or 0), place)
                if expected is not None:
                    axes.plot([expected, expected], [place - 0.42, place + 0.42], color=INK, linewidth=2)
            furthest = max((each for each in (*panel.values, *ends) if each is not None), default=1.0)
            axes.set_xlim(0, 1.35 * furthest or 1)
            axes.set_yticks(list(places), picture.labels)
            plain_bars(axes, panel.title)
        if any(each is not None for panel in picture.panels for each in _ends(panel)):
            figure.supxlabel("│ where a bar was expected to end", fontsize=10)
    return figure


def _ends(panel: Panel) -> list[float | None]:
    return panel.expected or [None] * len(panel.values)
