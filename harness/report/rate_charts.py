"""The chart of a comparison at several rates: latency against throughput."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib as mpl
from matplotlib.figure import Figure

from harness.analysis.percentiles import messages_needed
from harness.core.units import figure_text
from harness.report.style import chart, colours_of, headline, label_lines, log_ms, tip
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
