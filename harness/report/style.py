"""The common style of all charts: one colour per architecture in every chart, direct labels, units, no decoration."""

from __future__ import annotations

import itertools
import re
import textwrap
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from harness.core.registry import colour_of

# Lighter versions of the architectures' colours, which the report uses in dark mode.
IN_THE_DARK = {
    "#0072B2": "#5AAEE6",
    "#009E73": "#35C79A",
    "#D55E00": "#F2894A",
    "#CC79A7": "#E29BC4",
    "#5254A3": "#9A9CE0",
}
# Colours for architectures that have none, in the order of their names. Like the architectures' own, most are from
# Okabe and Ito's palette, which is safe for colour-blind readers ("Color Universal Design", 2008).
OTHERS = ("#56B4E9", "#8C6D31", "#117733")
DASHES: tuple[Any, ...] = (
    "-",
    (0, (6, 2)),
    (0, (2, 1.5)),
    (0, (6, 2, 1.5, 2)),
    (0, (1, 1)),
    (0, (10, 3)),
)  # lines also differ in their dashes, not in colour alone
# The colours of components differ from those of architectures.
COMPONENTS = {"gateway": "#4477AA", "kafka": "#CCBB44", "redis": "#EE6677", "nats": "#66CCEE", "driver": "#BBBBBB"}

# The report replaces these colours by variables that follow the reader's light or dark mode.
INK = "#333333"
SOFT = "#666666"
GRID = "#dddddd"
SHADE = "#eeeeee"
SIZE_INCHES = (6.4, 4.0)
SHORTEST_INCHES = 1.5  # so that the label of the y axis has room
PNG_DPI = 150
TITLE_POINTS, SMALL_POINTS = 12, 9.5
TITLE_LETTERS_PER_INCH = 9.4  # of the bold title, so that it fits the width of its chart
SMALL_LETTERS_PER_INCH = 14

RC: Any = {  # Any: matplotlib types the keys as a list of all its settings
    "font.size": 12,
    "font.sans-serif": ["DejaVu Sans"],
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.labelsize": 10.5,
    "text.parse_math": False,  # a dollar sign in the name of a scenario is not mathtext
    "svg.fonttype": "none",  # keep text as text: small, sharp, and readable by a screen reader
    "svg.hashsalt": "chatbench",  # the same chart gives the same file
}


def colours_of(names: Iterable[str]) -> dict[str, str]:
    """A colour for each architecture, the same in every chart. A variant, `plan1 (dedup)`, has its architecture's."""
    names = sorted(set(names))
    kinds = {name: name.partition(" (")[0] for name in names}
    own = {kind: colour_of(kind) for kind in sorted(set(kinds.values()))}
    others = dict(zip((kind for kind, colour in own.items() if colour is None), itertools.cycle(OTHERS), strict=False))
    return {name: own[kinds[name]] or others[kinds[name]] for name in names}


@contextmanager
def this_style() -> Iterator[None]:
    """Apply the common style, ignoring any matplotlibrc of the user or the working directory."""
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(RC)
        yield


@contextmanager
def chart(size_inches: tuple[float, float] = SIZE_INCHES) -> Iterator[tuple[Figure, Axes]]:
    """A figure with one pair of axes, in the common style."""
    with this_style():
        figure = Figure(figsize=size_inches, layout="constrained")
        yield figure, figure.add_subplot()


def headline(figure: Figure, finding: str, *, n: str, note: str = "") -> None:
    """Write the finding above the chart, as a sentence, and below it what it rests on, and how to read it."""
    width_inches, height_inches = figure.get_size_inches()
    title = textwrap.wrap(finding, int(TITLE_LETTERS_PER_INCH * width_inches))
    below = textwrap.wrap(f"n: {n}" + (f". {note}" if note else ""), int(SMALL_LETTERS_PER_INCH * width_inches))
    figure.suptitle("\n".join(title), x=0.01, ha="left", fontsize=TITLE_POINTS, fontweight="bold", linespacing=1.3)
    figure.supxlabel("\n".join(below), x=0.01, ha="left", fontsize=SMALL_POINTS, color=SOFT, linespacing=1.35)
    lines_inches = (TITLE_POINTS * 1.5 * len(title) + SMALL_POINTS * 1.5 * len(below)) / 72
    figure.set_size_inches(width_inches, height_inches + lines_inches)


TIP = "tip: "


def tip(artist: Artist, text: str) -> None:
    """Give a mark the text that is shown when the pointer is on it, or the focus."""
    artist.set_gid(TIP + text)


# Nobody sees it, but it notices the pointer; a fill of none, which matplotlib writes for an alpha of 0, would not.
UNSEEN: Any = {"color": INK, "alpha": 0.004, "linewidth": 0, "zorder": 9}


def tip_band(axes: Axes, start: float, end: float, text: str) -> None:
    """Give a part of the x axis a text, which names the values of all lines there."""
    tip(axes.axvspan(start, end, **UNSEEN), text)


def tip_box(axes: Axes, across: tuple[float, float], along: tuple[float, float], text: str) -> None:
    """Give a rectangle of the axes a text: its ends on the x axis, and on the y axis."""
    (left, right), (bottom, top) = across, along
    tip(axes.add_patch(Rectangle((left, bottom), right - left, top - bottom, **UNSEEN)), text)


def tip_row(axes: Axes, start: float, end: float, text: str) -> None:
    """Give a part of the y axis a text."""
    tip(axes.axhspan(start, end, **UNSEEN), text)


def save(figure: Figure, folder: Path, name: str) -> Path:
    """Save as PNG on white and as SVG with a transparent background; returns the path of the SVG."""
    folder.mkdir(parents=True, exist_ok=True)
    svg = folder / f"{name}.svg"
    with this_style():
        figure.savefig(folder / f"{name}.png", dpi=PNG_DPI)
        figure.savefig(svg, transparent=True, metadata={"Date": None})
    svg.write_text(_with_tips(svg.read_text(encoding="utf-8")), encoding="utf-8")
    return svg


def _with_tips(svg: str) -> str:
    """Make each tip the title of its mark, which a browser shows and a screen reader reads."""
    return re.sub(rf"<g id=([\"']){TIP}(.*?)\1>", r'<g class="mark"><title>\2</title>', svg, flags=re.DOTALL)


def log_ms(axes: Axes, which: str) -> None:
    """Make the axis logarithmic, in milliseconds, with plain decimal labels."""
    axis = axes.xaxis if which == "x" else axes.yaxis
    (axes.set_xscale if which == "x" else axes.set_yscale)("log")
    low, high = axis.get_view_interval()
    axis.set_major_locator(mpl.ticker.LogLocator(subs=(1, 2, 5) if high > 6 * low else (1, 1.5, 2, 3, 4, 5, 7)))
    axis.set_major_formatter(mpl.ticker.FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(mpl.ticker.NullFormatter())
    axes.grid(axis="both", color=GRID, linewidth=0.6)


def label_lines(axes: Axes, ends: Mapping[str, tuple[float, float]], colours: Mapping[str, str]) -> None:
    """Write each line's name to the right of all lines, at the height of its end.

    Overlapping names are moved apart: upwards, but from the top of the axes downwards, as there is no room above.
    """
    figure = axes.get_figure(root=True)
    assert figure is not None
    height_px = figure.get_figheight() * figure.dpi
    least_px = 1.25 * mpl.rcParams["font.size"] / 72 * figure.dpi
    figure.draw_without_rendering()  # positions depend on the final layout
    right = max((x for x, _y in ends.values()), default=0.0)
    heights_px = {name: axes.transData.transform((right, y))[1] for name, (_x, y) in ends.items()}
    places_px: dict[str, float] = {}
    y_px = -height_px
    for name, own_y_px in sorted(heights_px.items(), key=lambda item: item[1]):
        y_px = places_px[name] = max(own_y_px, y_px + least_px)
    highest_px = max(axes.bbox.y1, *heights_px.values()) if heights_px else 0.0
    for name in reversed(places_px):
        places_px[name] = min(places_px[name], highest_px)
        highest_px = places_px[name] - least_px
    for name, place_px in places_px.items():
        axes.annotate(
            name,
            (right, ends[name][1]),
            xytext=(6, (place_px - heights_px[name]) / figure.dpi * 72),
            textcoords="offset points",
            va="center",
            color=colours[name],
            fontweight="bold",
            annotation_clip=False,
        )


def bars_size(bars: int, bar_inches: float = 0.4) -> tuple[float, float]:
    return SIZE_INCHES[0], max(SHORTEST_INCHES, 0.6 + bar_inches * bars)


def after_bar(axes: Axes, text: str, x: float, bar: str | float) -> None:
    """Write a text to the right of the end of its bar."""
    axes.annotate(text, (x, bar), xytext=(4, 0), textcoords="offset points", va="center")


def plain_bars(axes: Axes, label: str) -> None:
    """Bars whose values are written on them: the axis needs its label and unit, but no ticks."""
    axes.set_xlabel(label)
    axes.spines[["left", "bottom"]].set_visible(False)
    axes.tick_params(left=False, bottom=False, labelbottom=False)
    axes.set_axisbelow(True)


def colour_names(axes: Axes, names: list[str], all_names: list[str]) -> None:
    """Write the names of the architectures at their bars in their colours."""
    place = axes.get_subplotspec()
    if place is not None and place.is_first_col():  # the others share it
        axes.set_ylabel("architecture")
    colours = colours_of(all_names)
    for label, name in zip(axes.get_yticklabels(), names, strict=False):
        label.set_color(colours[name])
        label.set_fontweight("bold")
