"""Charts of `chatbench simulate`: CPU and utilisation of each component over time, and latency below them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from harness.core.units import figure_text
from harness.experiments.simulation.study import COMPONENTS, FULL, Simulated, Simulation, clock, worst_of
from harness.report.style import COMPONENTS as COLOURS
from harness.report.style import GRID, INK, SOFT, colours_of, headline, this_style, tip_band

WIDTH_INCHES = 8.4
ROW_INCHES = 1.5
ROOM_ABOVE, ROOM_FOR_LEGEND = 1.15, 1.4  # times the highest value
LEAST_WAIT_MS = 1.0  # at the top of an axis, so that it does not show noise
# Partitions belong to Kafka, and relays to gateways, so they have their colours.
COLOUR_OF = {"gateway": "gateway", "partition": "kafka", "broker": "kafka", "relay": "gateway", "redis": "redis"}


def fleet_charts(simulation: Simulation) -> Iterator[tuple[str, Figure]]:
    """The name of each chart and the chart, one for each architecture."""
    for fleet in simulation.fleets:
        yield f"simulated_{fleet.arch}", fleet_chart(fleet, simulation.day)


def fleet_chart(fleet: Simulated, day: bool) -> Figure:
    """A row for each component: its cores on the left, its busiest server on the right. The last row is latency."""
    names = list(fleet.servers)
    unit_s = 3600.0 if day else 1.0
    # A slice of a steady rate is shown at its middle, and a moment of a day where it is.
    at = np.array([each.at_s + (0 if day else each.window_s / 2) for each in fleet.slices]) / unit_s
    with this_style():
        figure = Figure(figsize=(WIDTH_INCHES, ROW_INCHES * (len(names) + 1.4)), layout="constrained")
        grid = figure.add_gridspec(len(names) + 1, 2, height_ratios=[*([1.0] * len(names)), 1.4])
        first: Axes | None = None
        for row, name in enumerate(names):
            loads = [each.components[name] for each in fleet.slices]
            busiest = figure.add_subplot(grid[row, 1], sharex=first)
            first = first or busiest
            _line(busiest, at, [100 * load.busiest for load in loads], COLOUR_OF[name])
            busiest.axhline(100 * FULL, color=INK, linewidth=1, linestyle=(0, (2, 1.5)))
            busiest.set_ylabel("busiest, %")
            busiest.set_ylim(top=max(110.0, busiest.get_ylim()[1]))
            cores = figure.add_subplot(grid[row, 0], sharex=first)
            cores.set_title(f"{COMPONENTS[name]}: {fleet.servers[name]:,}", loc="left", fontsize=10.5)
            if any(load.cores for load in loads):
                _line(cores, at, [load.cores for load in loads], COLOUR_OF[name])
                cores.set_ylabel("CPU, cores")
            else:
                _line(cores, at, [load.wait_ms for load in loads], COLOUR_OF[name])
                cores.set_ylabel("wait, ms")
                cores.set_ylim(top=max(LEAST_WAIT_MS, cores.get_ylim()[1]))
        below = figure.add_subplot(grid[len(names), :], sharex=first)
        _latency(below, fleet, at)
        below.set_xlabel("time of the day, h" if day else "time, s")
        if day:
            below.set_xticks(range(0, 25, 3))
        last_slice = fleet.slices[-1]
        below.set_xlim(0, 24 if day else last_slice.at_s + last_slice.window_s)
        for each in figure.axes:
            each.grid(axis="both", color=GRID, linewidth=0.6)
            each.set_ylim(bottom=0)
        for place, slice_ in enumerate(fleet.slices):
            start = slice_.at_s / unit_s
            last = 24.0 if day else start + slice_.window_s
            end = fleet.slices[place + 1].at_s / unit_s if place + 1 < len(at) else last
            latency = (
                "no latency, as a component is over its limit"
                if slice_.latency_p99_ms is None
                else f"p99 {figure_text(slice_.latency_p99_ms)} ms"
            )
            when = clock(slice_.at_s) if day else f"{slice_.at_s:.1f} s"
            tip_band(below, start, end, f"{when}: {slice_.rate_per_s:,.0f} messages/s, {latency}")
        headline(
            figure,
            _finding(fleet, day),
            n=f"{sum(round(each.rate_per_s * each.window_s) for each in fleet.slices):,} messages simulated",
            note="Dotted: above this share of the time, the busiest server does not keep up. "
            "No latency is shown while a component is over its limit",
        )
    return figure


def _line(axes: Axes, at: np.ndarray, values: Sequence[float], colour: str) -> None:
    axes.plot(at, values, color=COLOURS[colour], linewidth=1.8, marker="o" if len(at) == 1 else None)
    axes.tick_params(labelsize=9)
    axes.set_ylim(top=(ROOM_ABOVE * max(values)) or 1.0)


def _latency(axes: Axes, fleet: Simulated, at: np.ndarray) -> None:
    """The band from p50 to p99, with gaps where a component is over its limit."""
    p50_ms = np.array([np.nan if each.latency_p50_ms is None else each.latency_p50_ms for each in fleet.slices])
    p99_ms = np.array([np.nan if each.latency_p99_ms is None else each.latency_p99_ms for each in fleet.slices])
    colour = colours_of([fleet.arch])[fleet.arch]
    axes.fill_between(at, p50_ms, p99_ms, color=colour, alpha=0.25, linewidth=0, label="p50 to p99")
    axes.plot(at, p50_ms, color=colour, linewidth=1.8, marker=".", label="p50")
    axes.set_ylabel("latency, ms")
    if np.isnan(p50_ms).all():
        axes.text(
            0.5, 0.5, "no latency, as a component is over its limit", transform=axes.transAxes, ha="center", color=SOFT
        )
        axes.set_yticks([])
    else:
        axes.set_ylim(top=ROOM_FOR_LEGEND * float(np.nanmax(p99_ms)))
        axes.legend(frameon=False, loc="upper left", ncols=2, fontsize=9.5)


def _finding(fleet: Simulated, day: bool) -> str:
    over = [name for name in fleet.servers if any(each.components[name].over for each in fleet.slices)]
    if over:
        first = max(over, key=lambda name: worst_of(fleet.slices, name).components[name].busiest)
        worst = worst_of(fleet.slices, first)
        when = f" at {clock(worst.at_s)}" if day else ""
        return (
            f"{fleet.arch}: the busiest of its {COMPONENTS[first]} would need "
            f"{worst.components[first].busiest:.0%} of the time{when}"
        )
    name = max(fleet.servers, key=lambda each: worst_of(fleet.slices, each).components[each].busiest)
    worst = worst_of(fleet.slices, name)
    return (
        f"{fleet.arch}: everything keeps up; the busiest server is among the {COMPONENTS[name]}, "
        f"busy for {worst.components[name].busiest:.0%} of the time"
    )
