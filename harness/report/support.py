"""What a chart rests on: how many runs, messages and deliveries; and who has the lowest figure in it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pandas as pd

from harness.analysis.percentiles import BEYOND_MIN, messages_needed
from harness.core.units import figure_text
from harness.results.frames import messages_behind

ALIKE = 1.05  # figures so close to one another are not ranked in a title
PERCENTILES = (50.0, 90.0, 99.0, 99.9, 99.99)


def architectures(frame: pd.DataFrame) -> list[str]:
    return sorted(frame["arch"].unique())


def messages_of(runs: pd.DataFrame) -> dict[str, int]:
    """How many messages the latencies of each architecture rest on, in complete runs with a valid driver."""
    valid = runs[(runs["status"] == "complete") & (runs["driver_valid"] == True)]  # noqa: E712 - of True, False and None
    return {str(name): int(count) for name, count in messages_behind(valid).groupby(valid["arch"]).sum().items()}


def supported(percentile: float, messages: int) -> bool:
    return messages >= messages_needed(percentile)


def furthest_supported(messages: int) -> float:
    """The highest percentile that so many messages support, below 100."""
    return 100 * (1 - BEYOND_MIN / messages) if messages > BEYOND_MIN else 0.0


def highest_supported(messages: int) -> float | None:
    """The highest of the usual percentiles that so many messages support; None if they do not even support p50."""
    return max((each for each in PERCENTILES if supported(each, messages)), default=None)


def support_text(runs: pd.DataFrame) -> str:
    """How many runs, messages and deliveries the figures of each architecture rest on."""
    of = runs[runs["status"] == "complete"].groupby("arch")
    each = " of each architecture" if len(of) > 1 else ""
    counts = [
        (of.size(), "run", each),
        (of["sent"].sum(), "message", ""),
        (of["delivered"].sum(), "delivery", ""),
    ]
    return ", ".join(f"{_range_text(count, noun)}{rest}" for count, noun, rest in counts)


def _range_text(counts: pd.Series[int], noun: str) -> str:
    low, high = (0, 0) if counts.empty else (int(counts.min()), int(counts.max()))
    plural = {"delivery": "deliveries"}.get(noun, f"{noun}s")
    return f"{low:,}{f' to {high:,}' if high > low else ''} {noun if high == 1 else plural}"


def lowest_and_highest(values: Mapping[str, float], unit: str, text: Callable[[float], str] = figure_text) -> str:
    """The continuation of a sentence: `redis the least, 2.2 ms; plan1 the most, 4.4 ms, 2.0 times as much`."""
    (low, least), *_, (high, most) = sorted(values.items(), key=lambda item: (item[1], item[0]))
    if least * ALIKE > most:
        return f"{text(least)} to {text(most)} {unit}, about the same in all"
    times = f", {most / least:.1f} times as much" if least > 0 else ""
    return f"{low} the least, {text(least)} {unit}; {high} the most, {text(most)} {unit}{times}"
