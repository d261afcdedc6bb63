"""The chart of `chatbench capacity --over gateways`: how the limit of each architecture grows with its gateways."""

from __future__ import annotations

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from harness.analysis.usl import Usl
from harness.experiments.capacity import Capacity, Search
from harness.report.capacity import half_text
from harness.report.capacity_chart import runs_text
from harness.report.speedup import limits_of, parameters_text, speedups, times_text
from harness.report.style import (
    DASHES,
    GRID,
    INK,
    SIZE_INCHES,
    SOFT,
    colours_of,
    headline,
    label_lines,
    this_style,
    tip,
)

TALLER = 1.6  # than other charts, for it has two parts
POINTS = 100  # of a fitted curve
APART = 0.025  # marks of several architectures at the same number, so that one sees their intervals


def speedup(search: Search) -> Figure:
    """Above the limits and the laws fitted to them, below what they are of the limit with the fewest gateways."""
    colours = colours_of(search.architectures)
    with this_style():
        figure = Figure(figsize=(SIZE_INCHES[0], TALLER * SIZE_INCHES[1]), layout="constrained")
        limits, times = figure.subplots(2, 1, sharex=True)
        _label(limits, times, search)
        ends = {}
        for place, arch in enumerate(search.architectures):
            aside = 2 ** (APART * (place - (len(search.architectures) - 1) / 2))
            if end := _draw_limits(limits, search, arch, colours[arch], aside):
                ends[arch] = (2 ** (APART * len(search.architectures) / 2) * max(search.gateways), end)
            _draw_times(times, search, arch, colours[arch], aside)
        if any(len(speedups(search, arch)) > 1 for arch in search.architectures):
            _draw_ideal(times, min(search.gateways), max(search.gateways))
        else:
            times.text(0.5, 0.5, "not known", transform=times.transAxes, ha="center", va="center", color=SOFT)
        for axes in (limits, times):
            if not axes.lines:  # a logarithmic axis cannot do without a range
                axes.set_xlim(min(search.gateways) / 1.3, max(search.gateways) * 1.3)
                axes.set_ylim(1, 10)
        figure.align_ylabels()
        label_lines(limits, ends, colours)
        headline(figure, finding(search), n=runs_text(search), note=_note(search))
    return figure


def _law(search: Search, arch: str) -> Usl | None:
    return next((each.usl for each in search.scalings if each.arch == arch), None)


def _draw_limits(axes: Axes, search: Search, arch: str, colour: str, aside: float) -> float | None:
    """Draw the limit with each number of gateways; returns the height of the line's end, if there is a line."""
    usl = _law(search, arch)
    known = [(each, middle) for each in limits_of(search, arch) if (middle := _middle(each)) is not None]
    for each, middle in known:
        x = (each.gateways or 0) * aside
        if each.half is not None:
            axes.plot([x, x], [each.half.low, each.half.high], color=colour, linewidth=1.5)
        (mark,) = axes.plot(x, middle, _marker(each), color=colour, markerfacecolor=_face(each, colour), markersize=7)
        tip(mark, f"{each.contestant}: {half_text(each)} messages/s")
    if len(known) < 2:
        for each, middle in known:
            place = ((each.gateways or 0) * aside, middle)
            axes.annotate(arch, place, xytext=(8, 4), textcoords="offset points", color=colour, fontweight="bold")
        return None
    if usl is None:
        _connect(axes, [((each.gateways or 0) * aside, middle) for each, middle in known], colour)
        return known[-1][1]
    numbers = np.linspace(known[0][0].gateways or 0, known[-1][0].gateways or 0, POINTS)
    axes.plot(numbers, [usl.throughput(number) for number in numbers], color=colour, linewidth=2)
    return usl.throughput(numbers[-1])


def _draw_times(axes: Axes, search: Search, arch: str, colour: str, aside: float) -> None:
    """Draw the speed-up with each number of gateways, and the law as a share of the limit with the fewest."""
    found = speedups(search, arch)
    if len(found) < 2:
        return
    for each in found:
        x = each.gateways * aside
        axes.plot([x, x], [each.times.low, each.times.high], color=colour, linewidth=1.5)
        marker, face = ("^", "none") if each.at_least else ("o", colour)
        (mark,) = axes.plot(x, each.times.value, marker, color=colour, markerfacecolor=face, markersize=6)
        tip(mark, f"{arch} with {each.gateways} gateway{'' if each.gateways == 1 else 's'}: {times_text(each)} times")
    usl, first = _law(search, arch), limits_of(search, arch)[0].half
    if usl is None or first is None:
        _connect(axes, [(each.gateways * aside, each.times.value) for each in found], colour)
        return
    numbers = np.linspace(found[0].gateways, found[-1].gateways, POINTS)
    axes.plot(numbers, [usl.throughput(number) / first.value for number in numbers], color=colour, linewidth=2)


def _draw_ideal(axes: Axes, first: int, last: int) -> None:
    axes.plot([first, last], [1, last / first], color=INK, linewidth=1, linestyle=DASHES[1])
    axes.annotate("ideal", (last, last / first), xytext=(6, 0), textcoords="offset points", va="center", color=SOFT)


def _connect(axes: Axes, points: list[tuple[float, float]], colour: str) -> None:
    """Connect what no law was fitted to."""
    axes.plot([x for x, _y in points], [y for _x, y in points], color=colour, linewidth=1, linestyle=DASHES[2])


def _middle(found: Capacity) -> float | None:
    if found.half is not None:
        return found.half.value
    return found.highest_held if found.highest_held is not None or found.at_least else found.lowest_broken


def _marker(found: Capacity) -> str:
    if found.at_least:
        return "^"
    return "v" if found.half is None else "o"


def _face(found: Capacity, colour: str) -> str:
    return "none" if found.at_least or found.half is None else colour


def _label(limits: Axes, times: Axes, search: Search) -> None:
    for axes in (limits, times):
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.grid(axis="both", color=GRID, linewidth=0.6)
    times.xaxis.set_major_locator(mpl.ticker.FixedLocator([float(each) for each in search.gateways]))
    times.xaxis.set_major_formatter(mpl.ticker.FuncFormatter(lambda value, _: f"{value:g}"))
    times.xaxis.set_minor_locator(mpl.ticker.NullLocator())
    limits.yaxis.set_major_locator(mpl.ticker.LogLocator(subs=(1, 2, 5)))
    limits.yaxis.set_major_formatter(mpl.ticker.EngFormatter(sep=""))
    times.yaxis.set_major_locator(mpl.ticker.LogLocator(base=2))
    times.yaxis.set_major_formatter(mpl.ticker.FuncFormatter(lambda value, _: f"{value:g}"))
    for axes in (limits, times):
        axes.yaxis.set_minor_locator(mpl.ticker.NullLocator())
    limits.set_ylabel("one run in two holds at, messages/s")
    times.set_ylabel("speed-up, times")
    times.set_xlabel("how many gateways (gateways)")


def finding(search: Search) -> str:
    """What one sees in the chart."""
    where = f"(p99 <= {search.objective.p99_ms:g} ms, {search.fixed})"
    first, last = min(search.gateways), max(search.gateways)
    most = {arch: speedups(search, arch)[-1:] for arch in search.architectures if len(limits_of(search, arch)) > 1}
    told = [
        f"{arch} {times_text(each)}" + ("" if each.gateways == last else f" (with {each.gateways})")
        for arch, found in most.items()
        for each in found
        if each.gateways > first
    ]
    unknown = ", ".join(arch for arch, found in most.items() if all(each.gateways == first for each in found))
    if not told:
        grows = f"How the limit grows with {last} gateways instead of {first}"
        return f"{grows} is not known{f' of {unknown}' if unknown else ''} {where}"
    rest = f"; it is not known of {unknown}" if unknown else ""
    return (
        f"With {last} gateways instead of {first} the limit is so many times as high: {', '.join(told)}{rest} {where}"
    )


def _note(search: Search) -> str:
    note = "A line through a mark is the 95 % interval"
    if any(each.at_least for each in search.capacities):
        note += "; at a triangle it may take more, because no run broke, or something else was the limit"
    if any(each.half is None and not each.at_least for each in search.capacities):
        note += "; at one that points down it takes less, for no run held"
    several = [each for each in search.scalings if len(limits_of(search, each.arch)) > 1]
    fitted = [f"{each.arch} {parameters_text(each.usl)}" for each in several if each.usl is not None]
    if fitted:
        note += f". Curves: the Universal Scalability Law, with sigma, kappa and R2 of {'; '.join(fitted)}"
    for reason in dict.fromkeys(each.not_fitted for each in several if each.not_fitted is not None):
        those = ", ".join(each.arch for each in several if each.not_fitted == reason)
        note += f". Dotted: no law was fitted to {those}: {reason}"
    return note
