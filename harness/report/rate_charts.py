"""The charts over the rate: latency against throughput, and where an architecture no longer holds its objective."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib as mpl
import pandas as pd
from matplotlib.figure import Figure

from harness.analysis.percentiles import messages_needed
from harness.core.units import duration_text, figure_text
from harness.experiments.capacity import Attempt, Capacity
from harness.report.style import DASHES, INK, chart, colours_of, headline, label_lines, log_ms, tip
from harness.report.support import architectures, messages_of, supported
from harness.results.frames import Frames, messages_behind


def throughput_and_latency(frames: Frames, highest: float = 99.0) -> Figure:
    """A line through the rates of each architecture, all runs of a rate merged. Workloads must differ only in the rate.

    It shows the p99, or the median if not every rate has messages enough to support the p99, or if the median is the
    highest percentile that may be compared. Single runs are shown as
    dots where one run alone supports the percentile.
    """
    every = frames.runs
    percentile = min(highest, percentile_over_rates(frames))
    column = f"latency_p{percentile:g}_ms"
    runs = every.dropna(subset=["deliveries_per_s", column])
    merged = frames.percentiles[frames.percentiles["metric"] == column]
    colours = colours_of(architectures(every))
    with chart() as (figure, axes):
        ends, values = {}, {}
        for name in architectures(runs):
            own = runs[runs["arch"] == name]
            dots = own[messages_behind(own) >= messages_needed(percentile)]
            axes.plot(dots["deliveries_per_s"], dots[column], "o", color=colours[name], alpha=0.5, markersize=6)
            line = merged[merged["arch"] == name].set_index("rate_per_s")["merged_ms"].dropna().sort_index()
            if line.empty:
                continue
            deliveries_per_s = own.groupby("rate_per_s")["deliveries_per_s"].mean().loc[line.index]
            axes.plot(deliveries_per_s, line, "-", color=colours[name], linewidth=2)
            messages_at = messages_behind(own).groupby(own["rate_per_s"]).sum().loc[line.index]
            for deliveries, latency_ms, messages in zip(deliveries_per_s, line, messages_at, strict=True):
                (mark,) = axes.plot(deliveries, latency_ms, "D", color=colours[name], zorder=10)
                at = f"{deliveries:,.0f} deliveries/s"
                tip(
                    mark, f"{name} at {at}: p{percentile:g} {figure_text(latency_ms)} ms, from {messages:,.0f} messages"
                )
            ends[name] = (float(deliveries_per_s.iloc[-1]), float(line.iloc[-1]))
            values[name] = (float(line.iloc[0]), float(line.iloc[-1]))
        log_ms(axes, "y")
        axes.margins(x=0.25)
        axes.xaxis.set_major_formatter(mpl.ticker.EngFormatter(sep=""))
        axes.set_xlabel("throughput, deliveries/s")
        axes.set_ylabel(f"p{percentile:g} of delivery latency, ms")
        label_lines(axes, ends, colours)
        headline(
            figure,
            _rates_finding(values, percentile, sorted(runs["rate_per_s"].unique())),
            n=f"{len(runs)} runs at {runs['rate_per_s'].nunique()} rates",
            note="A diamond is all runs of a rate together, a dot is one run",
        )
    return figure


def has_rates(frames: Frames, highest: float = 99.0) -> bool:
    """Whether any latency at these rates is supported by the messages."""
    return bool(frames.runs[f"latency_p{min(highest, percentile_over_rates(frames)):g}_ms"].notna().any())


def percentile_over_rates(frames: Frames) -> float:
    """The p99, where every architecture has at each rate messages enough to support it; otherwise the median."""
    messages = [
        min(sent.values(), default=0) for _, here in frames.runs.groupby("rate_per_s") if (sent := messages_of(here))
    ]
    return 99.0 if messages and supported(99.0, min(messages)) else 50.0


def _rates_finding(values: Mapping[str, tuple[float, float]], percentile: float, rates_per_s: Sequence[float]) -> str:
    """How the latency changes from the lowest rate to the highest, where it grows the least and where the most."""
    if not values:
        return "No rate has a latency that is valid"
    grown = sorted(values, key=lambda name: values[name][1] / values[name][0])
    named = list(dict.fromkeys([grown[0], grown[-1]]))
    said = [f"{name} from {figure_text(values[name][0])} to {figure_text(values[name][1])} ms" for name in named]
    between = f"from {rates_per_s[0]:g} to {rates_per_s[-1]:g} messages/s"
    return f"p{percentile:g} {between}: {'; '.join(said)}"


def hockey_stick(capacity: Capacity) -> Figure:
    """Latency over the requested rate: flat up to the capacity, then rising steeply."""
    colour = colours_of([capacity.arch])[capacity.arch]
    timed = sorted(
        (each for each in capacity.attempts if each.p99_ms is not None and each.driver_valid),
        key=lambda each: each.rate_per_s,
    )
    with chart() as (figure, axes):
        for column, dash in (("p99_ms", "-"), ("p50_ms", DASHES[1])):
            points = pd.DataFrame([(each.rate_per_s, getattr(each, column)) for each in timed], columns=["rate", "ms"])
            middle = points.groupby("rate")["ms"].median()
            axes.plot(middle.index, middle, color=colour, linestyle=dash, linewidth=2, label=column.removesuffix("_ms"))
        for held, face in ((True, colour), (False, "none")):
            some = [each for each in timed if each.held is held]
            if not some:
                continue
            for number, each in enumerate(some):
                (mark,) = axes.plot(
                    each.rate_per_s,
                    each.p99_ms or 0,
                    "o",
                    color=colour,
                    markerfacecolor=face,
                    markersize=7,
                    label=("held" if held else "broke") if number == 0 else None,
                )
                ending = "held" if held else f"broke: {each.why}"
                tip(mark, f"{each.rate_per_s:,g} messages/s: p99 {figure_text(each.p99_ms or 0)} ms, {ending}")
        axes.axhline(capacity.objective.p99_ms, color=INK, linewidth=1, linestyle=DASHES[2])
        late = [each for each in capacity.attempts if not each.driver_valid and each.p99_ms is not None]
        if late:
            places = [each.rate_per_s for each in late], [each.p99_ms or 0 for each in late]
            axes.plot(*places, "x", color=INK, label="driver not valid")
        if capacity.rate_per_s is not None:
            axes.axvline(capacity.rate_per_s, color=INK, linewidth=1)
            # Put the label on the side with more room.
            tried = [each.rate_per_s for each in capacity.attempts]
            side = "right" if capacity.rate_per_s**2 > min(tried) * max(tried) else "left"
            place = (capacity.rate_per_s, 0.02)
            text = f" {capacity.rate_text} "
            axes.annotate(text, place, xycoords=("data", "axes fraction"), ha=side, fontweight="bold")
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(mpl.ticker.LogLocator(subs=(1, 2, 5)))
        axes.xaxis.set_major_formatter(mpl.ticker.EngFormatter(sep=""))
        axes.xaxis.set_minor_formatter(mpl.ticker.NullFormatter())
        log_ms(axes, "y")
        axes.set_xlabel("requested rate, messages/s")
        axes.set_ylabel("delivery latency, ms")
        axes.legend(frameon=False, loc="best")
        headline(figure, _capacity_finding(capacity), n=_runs_text(capacity.attempts, capacity.settings.duration_s))
    return figure


def _capacity_finding(capacity: Capacity) -> str:
    objective = f"p99 <= {capacity.objective.p99_ms:g} ms"
    where = f"{capacity.scenario}, {capacity.settings.members:,} members"
    if capacity.rate_per_s is None:
        return f"{capacity.arch} holds {objective} at no rate that was tried ({where})"
    if capacity.broke_at_per_s is None:
        broke = ""
    elif capacity.limited_by_driver:
        broke = f"; at {capacity.broke_at_per_s:,g} the driver was too slow"
    else:
        broke = f", and not at {capacity.broke_at_per_s:,g}"
    return f"{capacity.arch} holds {objective} up to {capacity.rate_text}{broke} ({where})"


def _runs_text(attempts: Sequence[Attempt], duration_s: float) -> str:
    held = sum(each.held for each in attempts)
    runs = f"{len(attempts)} run{'' if len(attempts) == 1 else 's'} of {duration_text(duration_s)}"
    return f"{runs}, of which {held} held the objective"
