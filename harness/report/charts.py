"""The charts of one workload, each drawn only from frames."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from harness.core.units import figure_text
from harness.experiments.capacity import Capacity
from harness.report.style import (
    COMPONENTS,
    DASHES,
    INK,
    SHADE,
    after_bar,
    bars_size,
    chart,
    colour_names,
    colours_of,
    label_lines,
    log_ms,
    plain_bars,
    this_style,
)
from harness.results.frames import Frames

ON_COLOUR = "#111111"  # the colour of text within a bar, in light and in dark mode
LETTER_WIDTH = 0.026  # the width of a letter in a bar's label, as a share of the longest bar
POINTS_MAX = 400
NINES = (50.0, 90.0, 99.0, 99.9, 99.99, 99.999)


def architectures(frame: pd.DataFrame) -> list[str]:
    return sorted(frame["arch"].unique())


def dash_of(names: list[str]) -> dict[str, Any]:
    return {name: DASHES[index % len(DASHES)] for index, name in enumerate(names)}


def latency_spectrum(frames: Frames) -> Figure:
    """Latency by percentile with a stretched tail: each nine is as wide as the last, as in HdrHistogram's plots."""
    names = architectures(frames.latency)
    colours, dashes = colours_of(architectures(frames.runs)), dash_of(architectures(frames.runs))
    with chart() as (figure, axes):
        ends = {}
        for name in names:
            steps = frames.latency[frames.latency["arch"] == name]
            # The last step, the maximum at 100 %, would be infinitely far to the right, so it is not drawn.
            tail = 1 / (1 - steps["share_at_most"].iloc[:-1])
            if len(tail) == 0:
                continue
            axes.plot(tail, steps["latency_ms"].iloc[:-1], color=colours[name], linestyle=dashes[name], linewidth=2)
            ends[name] = (float(tail.iloc[-1]), float(steps["latency_ms"].iloc[-2]))
        log_ms(axes, "y")
        axes.set_xscale("log")
        furthest = max((x for x, _y in ends.values()), default=100)
        shown = [nine for nine in NINES if 100 / (100 - nine) <= 1.2 * furthest]
        axes.set_xticks([100 / (100 - nine) for nine in shown], [f"{nine:g} %" for nine in shown])
        axes.xaxis.set_minor_locator(mpl.ticker.NullLocator())
        axes.set_xlim(1, 2.2 * furthest)
        axes.set_xlabel("percentile of deliveries")
        axes.set_ylabel("delivery latency, ms")
        label_lines(axes, ends, colours)
    return figure


def latency_cdf(frames: Frames) -> Figure:
    """The cumulative distribution of delivery latency."""
    names = architectures(frames.latency)
    colours, dashes = colours_of(architectures(frames.runs)), dash_of(architectures(frames.runs))
    with chart() as (figure, axes):
        for index, name in enumerate(names):
            steps = _thinned(frames.latency[frames.latency["arch"] == name])
            share = 100 * steps["share_at_most"]
            axes.step(
                steps["latency_ms"], share, where="post", color=colours[name], linestyle=dashes[name], linewidth=2
            )
            axes.annotate(
                name,
                (1, 0.06 + 0.085 * index),
                xycoords="axes fraction",
                ha="right",
                color=colours[name],
                fontweight="bold",
            )
        log_ms(axes, "x")
        axes.set_ylim(0, 101)
        axes.yaxis.set_major_formatter(mpl.ticker.PercentFormatter(decimals=0))
        axes.set_xlabel("delivery latency, ms")
        axes.set_ylabel("share of deliveries at or below")
    return figure


def latency_over_time(frames: Frames) -> Figure:
    """The 99th percentile of each second, as the median of the rounds. The warm-up is shaded."""
    names = architectures(frames.seconds)
    colours, dashes = colours_of(architectures(frames.runs)), dash_of(architectures(frames.runs))
    seconds = frames.seconds
    several = seconds["round"].nunique() > 1
    end_s = 0.0
    with chart() as (figure, axes):
        warmup = seconds.loc[seconds["phase"] == "warm-up", "second_of_load"]
        if len(warmup):
            end_s = warmup.max() + 1
            axes.axvspan(0, end_s, color=SHADE, zorder=0)
            axes.annotate(
                "warm-up, discarded",
                (0, 0),
                xycoords="axes fraction",
                xytext=(5, 5),
                textcoords="offset points",
                fontsize=10,
            )
        _mark_faults(axes, frames.faults, end_s, colours)
        ends = {}
        for name in names:
            p99 = seconds[seconds["arch"] == name].groupby("second_of_load")["latency_p99_ms"].median().dropna()
            if len(p99) == 0:
                continue
            p99 = p99.reindex(
                range(int(p99.index[0]), int(p99.index[-1]) + 1)
            )  # a second without deliveries is a gap in the line
            axes.plot(p99.index + 0.5, p99, color=colours[name], linestyle=dashes[name], linewidth=2)
            ends[name] = (float(p99.index[-1]) + 0.5, float(p99.iloc[-1]))
        log_ms(axes, "y")
        axes.set_xlim(0, 1.22 * (float(seconds["second_of_load"].max()) + 1))
        axes.xaxis.set_major_locator(mpl.ticker.MaxNLocator(integer=True))
        axes.set_xlabel("seconds since the load began")
        axes.set_ylabel("p99 of each second, ms (median of the rounds)" if several else "p99 of each second, ms")
        label_lines(axes, ends, colours)
    return figure


def _mark_faults(axes: Axes, faults: pd.DataFrame, measured_from_s: float, colours: Mapping[str, str]) -> None:
    """Mark each fault and its duration, and with a triangle when each architecture was normal again."""
    for kind, seen in faults.groupby("fault", sort=False):
        began_s = measured_from_s + float(seen["began_s"].median())
        ended_s = measured_from_s + seen["ended_s"].median()
        axes.axvline(began_s, color=INK, linewidth=1.2, linestyle=DASHES[2])
        if not pd.isna(ended_s):
            axes.axvspan(began_s, ended_s, color=INK, alpha=0.08, linewidth=0, zorder=0)
        place = (began_s, 1.0)
        axes.annotate(
            f" {kind}", place, xycoords=("data", "axes fraction"), va="top", xytext=(2, -2), textcoords="offset points"
        )
        for place_of_name, (name, own) in enumerate(seen.groupby("arch")):
            normal_s = began_s + own["normal_ms"].median() / 1000
            height = 0.03 + 0.05 * place_of_name
            axes.plot(
                normal_s, height, "<", color=colours[str(name)], transform=axes.get_xaxis_transform(), clip_on=False
            )
    if len(faults):
        axes.annotate("◀ normal again", (0.98, 0.98), xycoords="axes fraction", ha="right", va="top", fontsize=10)


def throughput_and_latency(frames: Frames) -> Figure:
    """One point per run, and a line through the merged rounds of each rate. Workloads must differ only in the rate."""
    runs = frames.runs.dropna(subset=["deliveries_per_s", "latency_p99_ms"])
    p99 = frames.percentiles[frames.percentiles["metric"] == "latency_p99_ms"]
    colours = colours_of(architectures(frames.runs))
    with chart() as (figure, axes):
        ends = {}
        for name in architectures(runs):
            own = runs[runs["arch"] == name]
            axes.plot(own["deliveries_per_s"], own["latency_p99_ms"], "o", color=colours[name], alpha=0.5, markersize=6)
            merged = p99[p99["arch"] == name].set_index("rate_per_s")["merged_ms"].dropna().sort_index()
            if merged.empty:
                continue
            deliveries_per_s = own.groupby("rate_per_s")["deliveries_per_s"].mean().loc[merged.index]
            axes.plot(deliveries_per_s, merged, "-D", color=colours[name], linewidth=2)
            ends[name] = (float(deliveries_per_s.iloc[-1]), float(merged.iloc[-1]))
        log_ms(axes, "y")
        axes.margins(x=0.25)
        axes.xaxis.set_major_formatter(mpl.ticker.EngFormatter(sep=""))
        axes.set_xlabel("deliveries per second")
        axes.set_ylabel("p99 delivery latency, ms")
        label_lines(axes, ends, colours)
    return figure


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
            axes.plot(
                [each.rate_per_s for each in some],
                [each.p99_ms or 0 for each in some],
                "o",
                color=colour,
                markerfacecolor=face,
                markersize=7,
                label="held" if held else "broke",
            )
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
        axes.set_title(f"{capacity.arch}, {capacity.scenario}")
        axes.set_xlabel("requested messages per second")
        axes.set_ylabel("delivery latency, ms")
        axes.legend(frameon=False, loc="best")
    return figure


def cpu_per_delivery(frames: Frames) -> Figure:
    """CPU time by component, stacked. The driver, which is not part of any architecture, comes last and pale."""
    runs = frames.runs
    parts = runs.groupby("arch")[[f"cpu_{part}_us_per_delivery" for part in COMPONENTS]].mean()
    parts.columns = list(COMPONENTS)
    names = list(parts.index)[::-1]
    with chart(bars_size(len(names))) as (figure, axes):
        left = pd.Series(0.0, index=names)
        total = parts.sum(axis=1)
        too_thin: dict[str, list[str]] = {name: [] for name in names}  # for a label inside the bar: written after it
        for part, colour in COMPONENTS.items():
            width = parts.loc[names, part].fillna(0.0)
            axes.barh(names, width, left=left, color=colour, edgecolor="white", linewidth=0.8)
            for name in names:
                if width[name] > LETTER_WIDTH * len(part) * total.max():
                    middle, label = left[name] + width[name] / 2, f"{part}\n{figure_text(width[name])}"
                    axes.text(middle, name, label, ha="center", va="center", fontsize=9.5, color=ON_COLOUR)
                elif width[name] > 0:
                    too_thin[name].append(f"{part} {figure_text(width[name])}")
            left += width
        for name in names:
            rest = f"\n{', '.join(too_thin[name])}" if too_thin[name] else ""
            after_bar(axes, f"{figure_text(total[name])} us{rest}", total[name], name)
        axes.set_xlim(0, 1.22 * float(total.max()))
        plain_bars(axes, "CPU time per delivery, microseconds (mean of the rounds)")
        colour_names(axes, names, architectures(runs))
    return figure


def kafka_cost(frames: Frames) -> Figure:
    """What a message costs the brokers, in records and in bytes on disk."""
    runs = frames.runs.dropna(subset=["kafka_records_per_message"])
    means = runs.groupby("arch")[["kafka_records_per_message", "kafka_disk_bytes_per_message"]].mean().iloc[::-1]
    colours = colours_of(architectures(frames.runs))
    with this_style():
        figure = Figure(figsize=bars_size(len(means)), layout="constrained")
        for axes, (column, unit) in zip(
            figure.subplots(1, 2, sharey=True),
            (
                ("kafka_records_per_message", "records per message"),
                ("kafka_disk_bytes_per_message", "disk bytes per message"),
            ),
            strict=True,
        ):
            values = means[column]
            axes.barh(list(means.index), values, color=[colours[name] for name in means.index])
            for name, value in values.items():
                after_bar(axes, figure_text(value), value, str(name))
            axes.set_xlim(0, 1.35 * float(values.max()))
            plain_bars(axes, unit)
            colour_names(axes, list(means.index), architectures(frames.runs))
    return figure


def correctness(frames: Frames) -> Figure:
    """Lost, duplicated and out-of-order deliveries, as shares of the expected ones. Zeros are written as 0."""
    kinds = {"lost": "lost", "duplicated": "duplicated", "reordered": "out of order"}
    sums = frames.runs.groupby("arch")[["expected", *kinds]].sum().iloc[::-1]
    colours = colours_of(architectures(frames.runs))
    worst = max(float((sums[kind] / sums["expected"]).max()) for kind in kinds)
    with this_style():
        figure = Figure(figsize=bars_size(len(sums)), layout="constrained")
        for axes, (kind, label) in zip(figure.subplots(1, 3, sharey=True), kinds.items(), strict=True):
            share = 100 * sums[kind] / sums["expected"]
            axes.barh(list(sums.index), share, color=[colours[name] for name in sums.index])
            for name in sums.index:
                text = "0" if sums[kind][name] == 0 else f"{share[name]:.3g} %"
                after_bar(axes, text, share[name], name)
            axes.set_xlim(0, max(1.0, 160 * worst))
            plain_bars(axes, label)
            colour_names(axes, list(sums.index), architectures(frames.runs))
        figure.supxlabel(
            f"share of the expected deliveries ({int(sums['expected'].min()):,} or more per architecture)",
            fontsize=10.5,
        )
    return figure


# The charts of one workload by file name, each with its drawing function and its title.
CHARTS: dict[str, tuple[Callable[[Frames], Figure], str]] = {
    "latency_spectrum": (latency_spectrum, "Delivery latency by percentile"),
    "latency_cdf": (latency_cdf, "Deliveries by latency"),
    "cpu_per_delivery": (cpu_per_delivery, "CPU per delivery"),
    "kafka_cost": (kafka_cost, "What a message costs Kafka"),
    "correctness": (correctness, "Lost, duplicated, out of order"),
    "latency_over_time": (latency_over_time, "Latency over time"),
}


def has_data(name: str, frames: Frames) -> bool:
    """Whether these frames have data for the chart. A chart without data is left out."""
    match name:
        case "latency_spectrum" | "latency_cdf":
            return len(frames.latency) > 1
        case "kafka_cost":
            return bool(frames.runs["kafka_records_per_message"].notna().any())
        case "correctness":
            return bool((frames.runs["expected"] > 0).any())
        case "cpu_per_delivery":
            return bool(frames.runs["cpu_system_us_per_delivery"].notna().any())
        case _:
            return bool(frames.seconds["latency_p99_ms"].notna().any())


def _thinned(steps: pd.DataFrame) -> pd.DataFrame:
    """At most POINTS_MAX steps of a distribution, evenly spaced, with the first and the last."""
    shown = np.unique(np.linspace(0, len(steps) - 1, POINTS_MAX).astype(int))
    return steps.iloc[shown]
