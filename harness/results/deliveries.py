"""What an architecture delivered wrongly in its runs, for which nobody would choose it and it is compared with none."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from harness.results.frames import RunRecord, runs_of
from harness.runs.promises import Use

WRONG = {"lost": "lost", "duplicated": "duplicated", "reordered": "delivered out of order"}


def delivered_right(records: Sequence[RunRecord]) -> list[RunRecord]:
    """Return the runs of those architectures that delivered everything as they should in each of these complete runs.

    The runs are those of one load shape: what is lost under another load says nothing about this one.
    """
    wrong = {name for name, runs in runs_of(records).groupby("arch") if wrong_deliveries(runs, str(name))}
    return [each for each in records if each.key["arch"] not in wrong]


def wrong_deliveries(runs: pd.DataFrame, arch: str) -> list[str]:
    """Sentences on what an architecture delivered wrongly in its complete runs; empty if nothing."""
    if runs.empty:
        return [f"{arch} is out: none of its runs is complete."]
    expected = runs["expected"].sum()
    reasons = [
        f"{arch} is out: {runs[column].sum():,.0f} of {expected:,.0f} deliveries were {what}."
        for column, what in WRONG.items()
        if runs[column].sum() > 0
    ]
    if runs["missed"].sum() > 0:
        missed, away = (f"{runs[column].sum():,.0f}" for column in ("missed", "away"))
        reasons.append(f"{arch} is out: of {away} messages sent while members were away, {missed} never reached them.")
    use = Use(*(int(runs[column].sum()) for column in ("scheduled", "silenced", "expected", "neither")))
    if not use.is_most:
        reasons.append(f"{arch} is out: {use}.")
    return reasons
