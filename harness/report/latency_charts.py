"""The charts of the latencies of one workload: by percentile, as a distribution, and over time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from harness.core.units import figure_text
from harness.report.style import (
    DASHES,
    INK,
    SHADE,
    chart,
    colours_of,
    headline,
    label_lines,
    log_ms,
    tip,
    tip_band,
    tip_row,
)
from harness.report.support import (
    architectures,
    furthest_supported,
    highest_supported,
    lowest_and_highest,
    messages_of,
    support_text,
)
from harness.results.frames import Frames

POINTS_MAX = 150
LEFT = 1 / 0.9  # the spectrum begins at the tenth percentile
TICKS = (50.0, 75.0, 90.0, 95.0, 99.0, 99.9, 99.99, 99.999)
NINES = (50.0, 90.0, 99.0, 99.9, 99.99, 99.999)
SHARES = (5, 10, 25, 50, 75, 90, 95, 99)  # at which the distributions can be read by pointing at them
MESSAGES_A_SECOND = 1_000  # from so many on, the p99 of a second is more than the luck of ten messages


def dash_of(names: list[str]) -> dict[str, Any]:
    return {name: DASHES[index % len(DASHES)] for index, name in enumerate(names)}


def latency_spectrum(frames: Frames) -> Figure:
    """Latency by percentile with a stretched tail: each nine is as wide as the last, as in HdrHistogram's plots.

    A line ends at the last percentile that the number of messages supports.
    """
    colours, dashes = colours_of(architectures(frames.runs)), dash_of(architectures(frames.runs))
    messages = messages_of(frames.runs)
    steps = _steps(frames)
    with chart() as (figure, axes):
        ends = {}
        for name, own in steps.items():
            tail, latency_ms = _supported_tail(own, messages[name])
            axes.plot(tail, latency_ms, color=colours[name], linestyle=dashes[name], linewidth=2)
            ends[name] = (float(tail.iloc[-1]), float(latency_ms.iloc[-1]))
        furthest = max(x for x, _y in ends.values())
        log_ms(axes, "y")
        axes.set_xscale("log")
        ticks = [each for each in (TICKS if furthest < 100 else NINES) if _stretched(each) <= 1.05 * furthest]
        axes.set_xticks([_stretched(each) for each in ticks], [f"{each:g} %" for each in ticks])
        axes.xaxis.set_minor_locator(mpl.ticker.NullLocator())
        axes.set_xlim(LEFT, max(1.5, 2.2 * furthest))
        axes.set_xlabel("percentile of deliveries, %")
        axes.set_ylabel("delivery latency, ms")
        label_lines(axes, ends, colours)
        _tips_at(axes, ticks, steps, messages)
        percentile = _highest_of_all(steps, messages)
        headline(
            figure,
            _percentile_finding({name: _at(own, percentile) for name, own in steps.items()}, percentile, steps),
            n=support_text(frames.runs),
            note=_ends_note(steps),
        )
    return figure


def _steps(frames: Frames) -> dict[str, pd.DataFrame]:
    """The distribution of each architecture that has one, with messages enough to support its median."""
    messages = messages_of(frames.runs)
    found = {name: frames.latency[frames.latency["arch"] == name] for name in architectures(frames.latency)}
    return {
        name: own
        for name, own in found.items()
        if len(own) > 1 and highest_supported(messages.get(name, 0)) is not None
    }


def has_distribution(frames: Frames) -> bool:
    return bool(_steps(frames))


def _supported_tail(steps: pd.DataFrame, messages: int) -> tuple[pd.Series[float], pd.Series[float]]:
    # The last step of all, the maximum at 100 %, would be infinitely far to the right, so it is not drawn.
    drawn = steps[steps["share_at_most"] < 1]
    tail = 1 / (1 - drawn["share_at_most"])
    shown = (tail >= LEFT) & (tail <= 1.001 * _stretched(furthest_supported(messages)))
    if not shown.any():  # one step holds nearly everything
        shown.iloc[0] = True
    return tail[shown], drawn["latency_ms"][shown]


def _stretched(percentile: float) -> float:
    return 100 / (100 - percentile)


def _at(steps: pd.DataFrame, percentile: float) -> float:
    """The latency in ms that so many percent of the deliveries did not exceed."""
    reached = steps.loc[steps["share_at_most"] >= percentile / 100 - 1e-9, "latency_ms"]
    return float(reached.min())


def _reaches(steps: pd.DataFrame, percentile: float) -> bool:
    """Whether a distribution goes so far; one that must not be compared beyond its median was cut off there."""
    return bool(steps["share_at_most"].max() >= percentile / 100 - 1e-9)


def _highest_of_all(steps: Mapping[str, pd.DataFrame], messages: Mapping[str, int]) -> float:
    """The highest percentile that every architecture has, which is that of the title."""
    supported = highest_supported(min(messages[name] for name in steps)) or 50.0
    return supported if all(_reaches(own, supported) for own in steps.values()) else 50.0


def _ends_note(steps: Mapping[str, pd.DataFrame]) -> str:
    late = ", or at the median if the driver was too late for the rest of it to be compared"
    every = all(_reaches(own, 100.0) for own in steps.values())
    return f"A line ends where fewer than ten messages were slower{'' if every else late}"


def _percentile_finding(values: Mapping[str, float], percentile: float, steps: Mapping[str, pd.DataFrame]) -> str:
    if len(values) > 1:
        return f"p{percentile:g} of delivery latency: {lowest_and_highest(values, 'ms')}"
    ((name, value),) = values.items()
    median = figure_text(_at(steps[name], 50))
    tail = "" if percentile == 50 else f", {percentile:g} % within {figure_text(value)} ms"
    return f"{name} makes half of its deliveries within {median} ms{tail}"


def _tips_at(
    axes: Axes, ticks: Sequence[float], steps: Mapping[str, pd.DataFrame], messages: Mapping[str, int]
) -> None:
    """Give the neighbourhood of each percentile that has a tick a text with the latencies there."""
    if not ticks:
        return
    places = [_stretched(each) for each in ticks]
    middles = [float(np.sqrt(left * right)) for left, right in pairwise(places)]
    edges = [LEFT, *middles, places[-1] * 1.3]
    for percentile, (start, end) in zip(ticks, pairwise(edges), strict=True):
        own = {
            name: _at(each, percentile)
            for name, each in steps.items()
            if percentile <= furthest_supported(messages[name]) + 1e-6 and _reaches(each, percentile)
        }
        text = ", ".join(f"{name} {figure_text(ms)} ms ({messages[name]:,} messages)" for name, ms in _ranked(own))
        if text:
            tip_band(axes, start, end, f"p{percentile:g} of delivery latency: {text}")


def _ranked(values: Mapping[str, float]) -> list[tuple[str, float]]:
    return sorted(values.items(), key=lambda item: (item[1], item[0]))


def latency_cdf(frames: Frames) -> Figure:
    """The cumulative distribution of delivery latency."""
    colours, dashes = colours_of(architectures(frames.runs)), dash_of(architectures(frames.runs))
    steps = _steps(frames)
    with chart() as (figure, axes):
        for index, (name, whole) in enumerate(steps.items()):
            own = _thinned(whole)
            share = 100 * own["share_at_most"]
            axes.step(own["latency_ms"], share, where="post", color=colours[name], linestyle=dashes[name], linewidth=2)
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
        axes.set_ylabel("deliveries that took no longer, %")
        middles = [(one + other) / 2 for one, other in pairwise(SHARES)]
        for percent, (start, end) in zip(SHARES, pairwise((0.0, *middles, 101.0)), strict=True):
            at = ", ".join(f"{name} {figure_text(ms)} ms" for name, ms in _ranked(_each_at(steps, percent)))
            tip_row(axes, start, end, f"{percent} % of deliveries: {at}")
        headline(figure, _cdf_finding(steps), n=support_text(frames.runs))
    return figure


def _each_at(steps: Mapping[str, pd.DataFrame], percentile: float) -> dict[str, float]:
    return {name: _at(own, percentile) for name, own in steps.items() if _reaches(own, percentile)}


def _cdf_finding(steps: Mapping[str, pd.DataFrame]) -> str:
    ranked = _ranked(_each_at(steps, 50))
    first, last = (f"within {figure_text(ms)} ms with {name}" for name, ms in (ranked[0], ranked[-1]))
    if len(ranked) > 1:
        return f"Half of the deliveries arrive {first}, {last}"
    own = steps[ranked[0][0]]
    most = f", nine in ten within {figure_text(_at(own, 90))} ms" if _reaches(own, 90) else ""
    return f"Half of the deliveries arrive {first}{most}"


def latency_over_time(frames: Frames) -> Figure:
    """A percentile of each second, as the median of the rounds. The warm-up is shaded.

    It is the median of the deliveries, because the 99th percentile of a second with few messages is the luck of one
    message. Where a fault was injected it is the 99th, because some members may be cut off while most are served.
    """
    names = architectures(frames.seconds)
    colours, dashes = colours_of(architectures(frames.runs)), dash_of(architectures(frames.runs))
    seconds = frames.seconds
    percentile = percentile_of_seconds(frames)
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
        lines, ends = {}, {}
        for name in names:
            of = seconds[seconds["arch"] == name].groupby("second_of_load")[f"latency_{percentile}_ms"].median()
            if (of := of.dropna()).empty:
                continue
            # A second without deliveries is a gap in the line.
            of = lines[name] = of.reindex(range(int(of.index[0]), int(of.index[-1]) + 1))
            axes.plot(of.index + 0.5, of, color=colours[name], linestyle=dashes[name], linewidth=2)
            ends[name] = (float(of.index[-1]) + 0.5, float(of.iloc[-1]))
        log_ms(axes, "y")
        last_s = float(seconds["second_of_load"].max()) + 1
        axes.set_xlim(0, 1.22 * last_s)
        axes.xaxis.set_major_locator(mpl.ticker.MaxNLocator(integer=True))
        axes.set_xlabel("time since the load began, s")
        axes.set_ylabel(f"{percentile} of each second's deliveries, ms")
        label_lines(axes, ends, colours)
        for second in range(int(last_s)):
            at = _ranked({name: float(of[second]) for name, of in lines.items() if not pd.isna(of.get(second))})
            if at:
                text = ", ".join(f"{name} {figure_text(ms)} ms" for name, ms in at)
                tip_band(axes, second, second + 1, f"second {second + 1}, {percentile}: {text}")
        finding = _faults_finding(frames.faults) or _steady_finding(lines, end_s, percentile)
        headline(figure, finding, n=_seconds_text(frames))
    return figure


def percentile_of_seconds(frames: Frames) -> str:
    """The name of the percentile that is drawn over time."""
    measured = frames.seconds[frames.seconds["phase"] != "warm-up"]
    is_supported = len(measured) > 0 and measured["said"].median() >= MESSAGES_A_SECOND
    return "p99" if is_supported or len(frames.faults) else "p50"


def _steady_finding(lines: Mapping[str, pd.Series[float]], measured_from_s: float, percentile: str) -> str:
    """How long a delivery takes in the middle second after the warm-up, and in the slowest."""
    measured = {name: of[of.index >= measured_from_s].dropna() for name, of in lines.items()}
    middle = {name: float(of.median()) for name, of in measured.items() if len(of)}
    if not middle:
        return "There are deliveries in the warm-up only"
    name, slowest = max(((name, float(of.max())) for name, of in measured.items() if len(of)), key=lambda each: each[1])
    where = "the slowest second" if len(middle) == 1 else f"the slowest second, of {name},"
    if len(middle) == 1:
        usual = f"{percentile} of {name} is {figure_text(middle[name])} ms in most seconds"
    else:
        usual = f"{percentile} in most seconds: {lowest_and_highest(middle, 'ms')}"
    return f"{usual}; {where} has {figure_text(slowest)} ms"


def _faults_finding(faults: pd.DataFrame) -> str:
    """How long each architecture was disturbed by the first fault."""
    if faults.empty:
        return ""
    kind = str(faults["fault"].iloc[0])
    normal_s = faults[faults["fault"] == kind].groupby("arch")["normal_ms"].median() / 1000
    seen, unseen = normal_s.dropna(), sorted(normal_s[normal_s.isna()].index)
    ranked = [f"{name} after {ms:,.1f} s" for name, ms in _ranked({str(name): float(s) for name, s in seen.items()})]
    again = f"normal again: {', '.join(ranked)}" if ranked else ""
    not_seen = f"not seen to be normal again: {', '.join(unseen)}" if unseen else ""
    return f"After {kind}, {'; '.join(filter(None, [again, not_seen]))}"


def _seconds_text(frames: Frames) -> str:
    measured = frames.seconds[frames.seconds["phase"] != "warm-up"]
    rounds = int(frames.seconds["round"].nunique())
    said = measured["said"].median() if len(measured) else 0
    of = f"the middle one of {rounds} runs of each architecture" if rounds > 1 else "one run of each architecture"
    if frames.seconds["arch"].nunique() == 1:
        of = of.removesuffix(" of each architecture")
    return f"each second is {of}, with about {said:,.0f} messages"


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
            normal_s = own["normal_ms"].median() / 1000
            height = 0.03 + 0.05 * place_of_name
            (mark,) = axes.plot(
                began_s + normal_s,
                height,
                "<",
                color=colours[str(name)],
                transform=axes.get_xaxis_transform(),
                clip_on=False,
                zorder=10,
            )
            tip(mark, f"{name}: normal again {normal_s:,.1f} s after {kind}")
    if len(faults):
        axes.annotate("◀ normal again", (0.98, 0.98), xycoords="axes fraction", ha="right", va="top", fontsize=10)


def _thinned(steps: pd.DataFrame) -> pd.DataFrame:
    """At most POINTS_MAX steps of a distribution, evenly spaced, with the first and the last."""
    shown = np.unique(np.linspace(0, len(steps) - 1, POINTS_MAX).astype(int))
    return steps.iloc[shown]
