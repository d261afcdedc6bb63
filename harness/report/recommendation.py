"""Which architecture to choose by a comparison in blocks, whose acks last, and what was wrong in its runs."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence

import pandas as pd

from harness.report.verdict import Recommendation, durable_names, or_text, reasons_against
from harness.results.frames import Frames

ONE = "no other beats it in a figure that it does not win back in another."
SEVERAL = "no other is better than one of these in a figure without being worse in another."


def recommend(frames: Frames, names: Collection[str], unbeaten: Callable[[Sequence[str]], list[str]]) -> Recommendation:
    """The recommendation for one load shape.

    `names` are the architectures that were compared, and `unbeaten` tells which of some names none of these beats.
    """
    complete = frames.runs[frames.runs["status"] == "complete"]
    chosen = unbeaten(sorted(names))
    because = [ONE if len(chosen) == 1 else SEVERAL]
    durable = durable_names(frames, sorted(names))
    if fleeting := [name for name in chosen if durable and name not in durable]:
        because.append(
            f"With {or_text(fleeting)}, an acked message does not survive a restart of the backend. "
            f"If it must: {or_text(unbeaten(durable))}."
        )
    because += [_made(complete[complete["arch"].isin(names)])]
    return Recommendation(or_text(chosen), because, [*_out(frames, complete), *_broken(frames)])


def _made(runs: pd.DataFrame) -> str:
    """What was delivered, and in how many runs the latencies count."""
    late = int((runs["driver_valid"] != True).sum())  # noqa: E712 - of True, False and None
    every = "Both" if runs["arch"].nunique() == 2 else f"All {runs['arch'].nunique()}"
    made = f"{every} made every expected delivery once and in order ({int(runs['expected'].sum()):,} deliveries"
    valid = f"; in {late} the driver was too slow for latencies" if late else ""
    return f"{made} in {len(runs)} runs{valid})."


def _out(frames: Frames, complete: pd.DataFrame) -> Iterator[str]:
    for name in sorted(frames.runs["arch"].unique()):
        yield from reasons_against(complete[complete["arch"] == name], str(name))


def _broken(frames: Frames) -> Iterator[str]:
    """A sentence for each promise that was broken, with the evidence of its first run."""
    broken = frames.promises[frames.promises["held"] == False]  # noqa: E712 - of True, False and None
    for (name, promise), runs in broken.groupby(["arch", "promise"]):
        yield f"{name} broke a promise: {promise} ({runs['evidence'].iloc[0]})."
