"""The chart of where the time of a message goes: the stages of its way, one after the other."""

from __future__ import annotations

from itertools import cycle

import pandas as pd
from matplotlib.figure import Figure

from harness.core.units import figure_text
from harness.ledger.passages import BACKEND, FAN_OUT, SENDING, TO_GATEWAY, TO_MEMBER, WAITING
from harness.report.style import after_bar, bars_size, chart, colour_names, headline, plain_bars, tip
from harness.report.support import architectures, lowest_and_highest
from harness.results.frames import Frames

# What each stage is, for people. What an architecture marks has the name of its mark.
STAGES = {
    SENDING: "until it was sent",
    TO_GATEWAY: "to the gateway",
    BACKEND: "backend",
    WAITING: "waiting for others to be written with",
    FAN_OUT: "writing it to all members",
    TO_MEMBER: "to the last member",
}
# The colours of the stages differ from those of architectures and components.
COLOURS = {
    SENDING: "#BBBBBB",
    TO_GATEWAY: "#A5C8E1",
    BACKEND: "#4477AA",
    WAITING: "#DDCC77",
    FAN_OUT: "#EE8866",
    TO_MEMBER: "#99DDAA",
}
MARKED = ("#774488", "#AA5588", "#225522")
INCHES = 0.6  # for each bar
WIDE_ENOUGH = 0.09  # of the longest bar, for a figure inside


def stages(frames: Frames) -> Figure:
    """The typical message of each architecture, from the moment it was due until its last recipient had heard it."""
    means = frames.stages.groupby(["arch", "stage"], sort=False)["typical_ms"].mean()
    names = architectures(frames.stages)[::-1]
    colours = _colours(list(frames.stages["stage"].unique()))
    total = means.groupby("arch").sum()
    with chart(bars_size(len(names), INCHES)) as (figure, axes):
        left = pd.Series(0.0, index=names)
        for stage, colour in colours.items():
            width = pd.Series({name: float(means.get((name, stage), 0.0)) for name in names})
            bars = axes.barh(
                names, width, left=left, color=colour, edgecolor="white", linewidth=0.8, label=_what(stage)
            )
            for name, bar in zip(names, bars, strict=True):
                tip(bar, f"{name}, {_what(stage)}: {figure_text(width[name])} ms")
                if width[name] > WIDE_ENOUGH * total.max():
                    middle = left[name] + width[name] / 2
                    place = (middle, bar.get_y() + bar.get_height() / 2)
                    axes.text(*place, figure_text(width[name]), ha="center", va="center", fontsize=9.5)
            left += width
        for name in names:
            after_bar(axes, f"{figure_text(total[name])} ms", total[name], name)
        axes.set_xlim(0, 1.15 * float(total.max()))
        plain_bars(axes, "time of a typical message until its last recipient had heard it, ms")
        colour_names(axes, names, names)
        axes.legend(frameon=False, loc="upper left", bbox_to_anchor=(0, -0.12), ncols=2, fontsize=9.5)
        headline(figure, _finding(means, total), n=_support(frames), note=_note(frames))
    return figure


def _colours(present: list[str]) -> dict[str, str]:
    """The colour of each stage, in the order of a message's way; marks of an architecture follow `backend`."""
    marked = dict(zip((each for each in present if each not in COLOURS), cycle(MARKED), strict=False))
    before, after = (SENDING, TO_GATEWAY, BACKEND), (WAITING, FAN_OUT, TO_MEMBER)
    return {name: COLOURS[name] for name in before} | marked | {name: COLOURS[name] for name in after}


def _what(stage: str) -> str:
    return STAGES.get(stage, stage.replace("_", " "))


def _finding(means: pd.Series[float], total: pd.Series[float]) -> str:
    if len(total) > 1:
        return f"Time of a typical message: {lowest_and_highest({str(name): ms for name, ms in total.items()}, 'ms')}"
    (name,) = total.index
    longest = int(means.argmax())
    stage, share = str(means.index[longest][1]), means.iloc[longest] / total.iloc[0]
    return f"A typical message of {name} takes {figure_text(total.iloc[0])} ms, {share:.0%} of it {_what(stage)}"


def _note(frames: Frames) -> str:
    """What typical means, and how far the clocks of several hosts agree."""
    error_ms = float(frames.stages["error_ms"].max())
    clocks = f"; from host to host ± {figure_text(error_ms)} ms, by their clocks" if error_ms else ""
    return f"Typical: the middle fifth by this time{clocks}"


def _support(frames: Frames) -> str:
    runs = frames.stages.groupby(["arch", "round"])["messages"].first()
    return f"{len(runs)} run{'' if len(runs) == 1 else 's'}, {int(runs.sum()):,} traced messages"
