"""The charts of what one workload costs: CPU by component, records and bytes; and of what was delivered wrongly."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from harness.core.units import figure_text
from harness.report.style import (
    COMPONENTS,
    after_bar,
    bars_size,
    chart,
    colour_names,
    colours_of,
    headline,
    plain_bars,
    this_style,
    tip,
)
from harness.report.support import architectures, lowest_and_highest, support_text
from harness.results.frames import Frames

ON_COLOUR = "#111111"  # the colour of text within a bar, in light and in dark mode
TWO_LINES_INCHES = 0.6  # for each bar, because its labels have two lines
LETTER_WIDTH = 0.026  # the width of a letter in a bar's label, as a share of the longest bar


def cpu_per_delivery(frames: Frames) -> Figure:
    """CPU time by component, stacked. The driver, which is not part of any architecture, comes last and pale."""
    runs = frames.runs
    parts = runs.groupby("arch")[[f"cpu_{part}_us_per_delivery" for part in COMPONENTS]].mean()
    parts.columns = list(COMPONENTS)
    names = list(parts.index)[::-1]
    with chart(bars_size(len(names), TWO_LINES_INCHES)) as (figure, axes):
        left = pd.Series(0.0, index=names)
        total = parts.sum(axis=1)
        too_thin: dict[str, list[str]] = {name: [] for name in names}  # for a label inside the bar: written after it
        for part, colour in COMPONENTS.items():
            width = parts.loc[names, part].fillna(0.0)
            bars = axes.barh(names, width, left=left, color=colour, edgecolor="white", linewidth=0.8)
            for name, bar in zip(names, bars, strict=True):
                tip(bar, f"{name}, {part}: {figure_text(width[name])} us of CPU per delivery")
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
        plain_bars(axes, "CPU time per delivery, us (mean of the runs)")
        colour_names(axes, names, architectures(runs))
        headline(figure, _cpu_finding(parts.drop(columns="driver")), n=support_text(runs), note=MIXED)
    return figure


MIXED = "At another rate it differs, because the fixed cost is spread over the deliveries"


def _cpu_finding(parts: pd.DataFrame) -> str:
    """Who needs the least CPU without the driver; or, of one alone, which component needs the most."""
    system = parts.sum(axis=1)
    if len(system) > 1:
        values = {str(name): float(cost) for name, cost in system.items() if cost > 0}
        least_and_most = f": {lowest_and_highest(values, 'us')}" if len(values) > 1 else ""
        return f"CPU per delivery in gateways and backends{least_and_most}"
    name, part = system.index[0], parts.iloc[0].fillna(0.0).idxmax()
    share = parts.iloc[0].max() / system.iloc[0] if system.iloc[0] > 0 else 0
    return f"{name} spends {figure_text(system.iloc[0])} us of CPU per delivery, {share:.0%} of it in {part}"


def kafka_cost(frames: Frames) -> Figure:
    """What a message costs the brokers, in records and in bytes on disk."""
    runs = frames.runs.dropna(subset=["kafka_records_per_message"])
    means = runs.groupby("arch")[["kafka_records_per_message", "kafka_disk_bytes_per_message"]].mean().iloc[::-1]
    colours = colours_of(architectures(frames.runs))
    with this_style():
        figure = Figure(figsize=bars_size(len(means)), layout="constrained")
        for axes, (column, what, unit) in zip(
            figure.subplots(1, 2, sharey=True),
            (
                ("kafka_records_per_message", "written per message, records", "records"),
                ("kafka_disk_bytes_per_message", "disk per message, bytes", "bytes"),
            ),
            strict=True,
        ):
            values = means[column]
            bars = axes.barh(list(means.index), values, color=[colours[name] for name in means.index])
            for bar, (name, value) in zip(bars, values.items(), strict=True):
                after_bar(axes, figure_text(value), value, str(name))
                tip(bar, f"{name}: {figure_text(value)} {unit} per message")
            axes.set_xlim(0, 1.35 * (float(values.max()) or 1.0))
            plain_bars(axes, what)
            colour_names(axes, list(means.index), architectures(frames.runs))
        headline(figure, _records_finding(means["kafka_records_per_message"]), n=support_text(runs))
    return figure


def _records_finding(records: pd.Series[float]) -> str:
    """How many records each architecture writes for a message; those that write equally many are named together."""
    alike: dict[str, list[str]] = {}
    for name, number in records.sort_index().items():
        alike.setdefault(figure_text(number), []).append(str(name))
    said = [
        f"{_and(names)} {'write' if len(names) > 1 else 'writes'} {number}"
        for number, names in sorted(alike.items(), key=lambda item: -float(item[0].replace(",", "")))
    ]
    first, *rest = said
    return "; ".join([f"{first} Kafka record{'s' if not first.endswith(' 1') else ''} for each message", *rest])


def _and(names: list[str]) -> str:
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))


MISTAKES = {"lost": "lost", "duplicated": "duplicated", "reordered": "out of order"}


def correctness(frames: Frames) -> Figure:
    """Lost, duplicated and out-of-order deliveries, as shares of the expected ones. Zeros are written as 0."""
    sums = frames.runs.groupby("arch")[["expected", *MISTAKES]].sum().iloc[::-1]
    colours = colours_of(architectures(frames.runs))
    worst = max(float((sums[kind] / sums["expected"]).max()) for kind in MISTAKES)
    with this_style():
        figure = Figure(figsize=bars_size(len(sums)), layout="constrained")
        for axes, (kind, label) in zip(figure.subplots(1, 3, sharey=True), MISTAKES.items(), strict=True):
            share = 100 * sums[kind] / sums["expected"]
            bars = axes.barh(list(sums.index), share, color=[colours[name] for name in sums.index])
            for name, bar in zip(sums.index, bars, strict=True):
                text = "0" if sums[kind][name] == 0 else f"{share[name]:.3g} %"
                after_bar(axes, text, share[name], name)
                tip(bar, f"{name}: {int(sums[kind][name]):,} of {int(sums['expected'][name]):,} deliveries {label}")
            axes.set_xlim(0, max(1.0, 160 * worst))
            plain_bars(axes, f"{label}, %")
            colour_names(axes, list(sums.index), architectures(frames.runs))
        headline(
            figure,
            _mistakes_finding(sums),
            n=support_text(frames.runs),
            note="Shares are of the deliveries that were expected",
        )
    return figure


def _mistakes_finding(sums: pd.DataFrame) -> str:
    wrong = {
        str(name): [
            f"{100 * row[kind] / row['expected']:.3g} % {label}" for kind, label in MISTAKES.items() if row[kind]
        ]
        for name, row in sums.sort_index().iterrows()
    }
    right = [name for name, of in wrong.items() if not of]
    if len(right) == len(wrong):
        return f"{_every(right)} made every expected delivery once and in order"
    mistakes = "; ".join(f"{name}: {', '.join(of)}" for name, of in wrong.items() if of)
    return f"{mistakes}{f'; nothing wrong: {_and(right)}' if right else ''}"


def _every(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{'Both' if len(names) == 2 else f'All {len(names)}'} architectures"
