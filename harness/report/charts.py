"""Charts of one record."""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
import pandas as pd
from matplotlib.figure import Figure

from harness.record import read_summary
from harness.summary import Summary

# Light to dark for the median to the tail: the order survives grey printing and every colour blindness.
SHADES = {"p50": "#7fb3d5", "p90": "#2e86c1", "p99": "#1b4f72"}
WARMUP_SHADE = "#eeeeee"
TEXT = "#333333"


def draw_latency_over_time(folder: Path) -> Path:
    """Delivery latency percentiles per second, warm-up shaded; returns the picture's path in the record."""
    summary = read_summary(folder)
    frame = pd.read_csv(folder / "timeseries.csv")
    frame = frame[(frame["said"] > 0) | (frame["delivered"] > 0)]  # the seconds of waiting after a phase are empty
    warmup = frame[frame["phase"] == "warm-up"]
    measured = frame[frame["phase"] == "measure"]
    warmup_s = int(warmup["second"].max()) + 1 if len(warmup) else 0
    frame = pd.concat([warmup, measured.assign(second=measured["second"] + warmup_s)])

    with mpl.rc_context({"font.size": 11, "axes.edgecolor": TEXT, "text.color": TEXT, "axes.labelcolor": TEXT}):
        figure = Figure(figsize=(9, 4.5), layout="constrained")
        axes = figure.add_subplot()
        if warmup_s:
            axes.axvspan(0, warmup_s, color=WARMUP_SHADE, zorder=0)
            axes.annotate(
                "warm-up, discarded",
                (warmup_s / 2, 0),
                xycoords=("data", "axes fraction"),
                xytext=(0, 6),
                textcoords="offset points",
                ha="center",
            )
        middle = frame["second"] + 0.5
        for name, colour in SHADES.items():
            line = frame[f"latency_{name}_ms"]
            axes.plot(middle, line, color=colour, linewidth=2, marker="o", markersize=3)
            heard = line.dropna()
            if len(heard):
                axes.annotate(
                    f" {name}",
                    (middle.loc[heard.index].iloc[-1], heard.iloc[-1]),
                    color=colour,
                    va="center",
                    fontweight="bold",
                )
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(mpl.ticker.LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_major_formatter(mpl.ticker.FuncFormatter(lambda value, _: f"{value:g}"))
        axes.yaxis.set_minor_formatter(mpl.ticker.NullFormatter())
        axes.margins(y=0.15)
        axes.set_xlim(0, float(frame["second"].max() + 2) if len(frame) else 1)
        axes.set_xlabel("seconds since the load began")
        axes.set_ylabel("delivery latency, ms (log)")
        axes.set_title(_title(summary), loc="left", fontsize=11)
        axes.grid(axis="y", color="#dddddd", linewidth=0.6)
        axes.spines[["top", "right"]].set_visible(False)
        path = folder / "charts" / "latency_over_time.png"
        figure.savefig(path, dpi=150)
    return path


def _title(summary: Summary) -> str:
    rate = "" if summary.publishes_per_s is None else f", {summary.publishes_per_s:.0f} msg/s"
    title = f"{summary.arch}, {summary.scenario}: {summary.members:,} members on {summary.gateways} gateways{rate}"
    if summary.driver.valid is False:
        title += "\nNOT VALID: the driver was the bottleneck"
    return title
