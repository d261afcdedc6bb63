"""The chart of `chatbench capacity`: what was delivered of what was offered, and p99, over the load."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from harness.core.registry import is_floor
from harness.core.units import duration_text, figure_text
from harness.experiments.attempt import Attempt
from harness.experiments.axis import Over
from harness.experiments.capacity import Capacity, Search
from harness.report.capacity import WHY_AT_LEAST, does_not_count, half_text
from harness.report.style import (
    DASHES,
    GRID,
    INK,
    SIZE_INCHES,
    colours_of,
    headline,
    label_lines,
    log_ms,
    this_style,
    tip,
)

NAMED_MAX = 2  # the title gives the limits of so many, or else the highest and the lowest
TALLER = 1.5  # than other charts, for it has two parts


def knees(search: Search) -> Figure:
    """p99 is flat up to the limit of an architecture and then rises steeply; a band shows where its limit lies."""
    colours = colours_of(search.architectures)
    over = search.over
    tried = [over.of(attempt) for found in search.capacities for attempt in found.attempts]
    with this_style():
        figure = Figure(figsize=(SIZE_INCHES[0], TALLER * SIZE_INCHES[1]), layout="constrained")
        share, latency = figure.subplots(2, 1, sharex=True, height_ratios=(1, 2.5))
        ends, named = {}, {}
        for found in search.capacities:
            name, colour = _line_name(found), colours[found.arch]
            named[name] = colour
            _draw_share(share, found, over, colour)
            if end := _draw_p99(latency, found, over, colour):
                ends[name] = end
            if found.half is not None:
                for axes in (share, latency):
                    axes.axvspan(found.half.low, found.half.high, color=colour, alpha=0.15, linewidth=0)
                    if is_floor(found.arch):
                        axes.axvline(found.half.value, color=colour, linewidth=1.5, linestyle=DASHES[1])
        latency.axhline(search.objective.p99_ms, color=INK, linewidth=1, linestyle=DASHES[2])
        _label(share, latency, over)
        # With room for the names. A logarithmic axis cannot do without a range, also where nothing was tried.
        latency.set_xlim(min(tried, default=1) / 1.3, max(tried, default=10) * 4)
        label_lines(latency, ends, named)
        headline(figure, finding(search), n=runs_text(search), note=_note(search))
    return figure


def _draw_share(axes: Axes, found: Capacity, over: Over, colour: str) -> None:
    known = [each for each in found.attempts if each.achieved is not None]
    loads = sorted({over.of(each) for each in known})
    shares = [np.median([each.achieved or 0.0 for each in known if over.of(each) == load]) for load in loads]
    axes.plot(loads, [100 * share for share in shares], color=colour, linewidth=2, marker="o", markersize=4)


def _draw_p99(axes: Axes, found: Capacity, over: Over, colour: str) -> tuple[float, float] | None:
    """Draw the median p99 of each load as a line and each run as a mark; returns the end of the line."""
    timed = [each for each in found.attempts if each.p99_ms is not None and each.driver_valid]
    loads = sorted({over.of(each) for each in timed})
    middle = [float(np.median([each.p99_ms or 0.0 for each in timed if over.of(each) == load])) for load in loads]
    axes.plot(loads, middle, color=colour, linewidth=2)
    for each in found.attempts:
        if each.p99_ms is None:
            continue
        face = colour if each.held else "none"
        marker = "o" if each.driver_valid else "x"
        (mark,) = axes.plot(over.of(each), each.p99_ms, marker, color=colour, markerfacecolor=face, markersize=6)
        ending = "held" if each.held else f"broke: {each.why}"
        if does_not_count(each, found):
            ending += "; does not count, because the driver had too few processes"
        tip(mark, f"{found.arch} at {over.of(each):,.10g} {over.unit}: p99 {figure_text(each.p99_ms)} ms, {ending}")
    return (loads[-1], middle[-1]) if loads else None


def _label(share: Axes, latency: Axes, over: Over) -> None:
    share.set_ylabel("delivered of\nwhat was offered, %")
    share.set_ylim(0, 109)
    share.grid(axis="both", color=GRID, linewidth=0.6)
    latency.set_xscale("log")
    latency.xaxis.set_major_locator(mpl.ticker.LogLocator(subs=(1, 2, 5)))
    latency.xaxis.set_major_formatter(mpl.ticker.EngFormatter(sep=""))
    latency.xaxis.set_minor_formatter(mpl.ticker.NullFormatter())
    log_ms(latency, "y")
    latency.set_xlabel(over.axis_label)
    latency.set_ylabel("p99 of delivery latency, ms")


def finding(search: Search) -> str:
    """A sentence with the limits, or of many architectures with the highest and the lowest."""
    where = f"({search.fixed})"
    known = [found for found in search.capacities if found.attempts]
    if not known:
        return f"No run was made within the budget {where}"
    objective = f"p99 <= {search.objective.p99_ms:g} ms"
    one_in_two = f"One run in two holds {objective} at this many {search.over.unit}"
    if len(known) <= NAMED_MAX:
        limits = "; ".join(f"{found.arch} {half_text(found)}" for found in known)
        return f"{one_in_two}: {limits} {where}"
    own = {found.arch: found.half for found in known if found.half is not None and not is_floor(found.arch)}
    if len(own) < NAMED_MAX:
        return f"Up to how many {search.over.unit} one run in two holds {objective} {where}"
    by_limit = sorted(own, key=lambda arch: own[arch].value)
    texts = {found.arch: half_text(found) for found in known}
    ends = f"{by_limit[-1]} {texts[by_limit[-1]]}, to {by_limit[0]} {texts[by_limit[0]]}"
    return f"{one_in_two}: from {ends} {where}"


def _line_name(found: Capacity) -> str:
    """The architecture with its limit, without the interval, which its band shows."""
    return f"{found.arch} {half_text(found).partition(' (')[0]}"


def runs_text(search: Search) -> str:
    """How many runs there were, of what length, and how many held."""
    attempts: Sequence[Attempt] = [attempt for found in search.capacities for attempt in found.attempts]
    held = sum(each.held for each in attempts)
    runs = f"{len(attempts)} run{'' if len(attempts) == 1 else 's'} of {duration_text(search.settings.duration_s)}"
    return f"{runs}, of which {held} held the objective"


def _note(search: Search) -> str:
    note = "A full dot is a run that held, a circle one that broke, a band the 95 % interval of the limit"
    if any(not attempt.driver_valid for found in search.capacities for attempt in found.attempts):
        note += "; at a cross the driver was not valid"
    floors = [found.arch for found in search.capacities if found.half is not None and is_floor(found.arch)]
    if floors:
        note += f". The dashed line is where {floors[0]} breaks: the driver and one gateway, without a backend"
    for what, why in WHY_AT_LEAST.items():
        if those := [found.arch for found in search.capacities if found.limited_by == what]:
            note += f". {', '.join(those)} may take more: {why}"
    return note
