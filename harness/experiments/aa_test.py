"""`chatbench selftest --long`: an A/A test. An architecture is compared with itself, and nothing may be better.

It runs under several labels in one comparison, so that planning, blocks, stopping and verdicts are those of
`chatbench compare`. What the labels tell apart is the same program with the same settings under the same load.
"""

from __future__ import annotations

import string
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from harness.analysis.verdicts import Answer, Verdict, judge
from harness.core.errors import ServiceFailed
from harness.core.progress import CampaignProgress
from harness.core.settings import ROUNDS_MAX, RunSettings, in_range
from harness.experiments.campaign import Campaign
from harness.experiments.comparison import run_campaign
from harness.experiments.selftest import FOUND, Check
from harness.results.blocks import Figure, compared
from harness.results.frames import RunRecord, read_records
from harness.services.redis.server import find_server

RATES_PER_S = (20.0, 100.0)
WARMUP_S, IDLE_S = 1.0, 1.0
LABELS = string.ascii_uppercase


@dataclass(frozen=True, slots=True)
class Effort:
    """What is compared with itself, and how thoroughly."""

    architectures: tuple[str, ...]
    names: int = 3  # under which each of them runs
    budget_s: float = 300.0
    rounds: int | None = None  # exactly so many blocks; None: by precision and budget
    duration_s: float = 2.0


def architectures_here() -> tuple[str, ...]:
    """Return what is tested by default: `direct`, and `redis` where a Redis can be started."""
    try:
        find_server()
    except ServiceFailed:
        return ("direct",)
    return ("direct", "redis")


def campaign_of(effort: Effort, out: str) -> Campaign:
    """Return the comparison of these architectures with themselves. Raises UsageError: one block decides nothing."""
    in_range("--names", effort.names, 2, len(LABELS))
    if effort.rounds is not None:
        in_range("--rounds", effort.rounds, 2, ROUNDS_MAX)
    common = RunSettings(arch=effort.architectures[0], duration_s=effort.duration_s, warmup_s=WARMUP_S, out=out)
    return Campaign(
        architectures=effort.architectures,
        labels=tuple(LABELS[: effort.names]),
        rates_per_s=RATES_PER_S,
        rounds=effort.rounds,
        budget_s=effort.budget_s,
        idle_s=IDLE_S,
        common=common,
    )


def run_aa_test(campaign: Campaign, folder: Path, progress: CampaignProgress) -> list[Check]:
    """Run the comparison and return a check for each pair of equals and each figure.

    Raises ServiceFailed, UsageError or Interrupted.
    """
    run_campaign(campaign, folder, progress)
    progress.finish("report", "verdicts", about_s=0)
    checks = list(checks_of(read_records([folder])))
    (folder / FOUND).write_bytes(msgspec.json.format(msgspec.json.encode(checks)))
    return checks


def checks_of(records: Sequence[RunRecord]) -> Iterator[Check]:
    """Judge all pairs of equals together, so that in 95 of 100 tests none of them is called better."""
    architectures = {str(each.key["arch"]): each.summary.arch for each in records}
    found = compared(records)
    contrasts = [
        verdict.contrast
        for each in found
        for verdict in each.verdicts
        if architectures[verdict.contrast.first] == architectures[verdict.contrast.second]
    ]
    yield from map(_check, judge(contrasts))
    for each in found:
        for figure in (*each.costs, *each.latencies):
            if figure.blocks < 2:
                yield _not_measured(figure, ", ".join(sorted({architectures[name] for name in each.architectures})))


def _check(verdict: Verdict) -> Check:
    contrast = verdict.contrast
    low, high = contrast.interval()
    return Check(
        what=f"{contrast.figure}: {contrast.first} over {contrast.second}",
        injected="1",
        reported=f"{contrast.ratio:.3f}, {verdict.answer}",
        error=f"{contrast.ratio - 1:+.3f}",
        allowed=f"equal, or 1 in {low:.3f} to {high:.3f}",
        held=verdict.answer is not Answer.BETTER,
    )


def _not_measured(figure: Figure, architectures: str) -> Check:
    what = f"{figure.name}: {architectures}"
    return Check(
        what=what, injected="1", reported=figure.why_not or "too few blocks", error="-", allowed="-", held=None
    )


def summed_up(checks: Sequence[Check]) -> str:
    """Say in one sentence whether anything differs from itself, and what."""
    wrong = [f"{check.what}, {check.reported}" for check in checks if check.held is False]
    if wrong:
        return (
            f"A difference was found where there is none ({'; '.join(wrong)}): repeat it, because chance does this in "
            "one test of twenty, and do not trust comparisons on this machine if it happens again."
        )
    equal = sum(check.reported.endswith(Answer.EQUAL) for check in checks)
    judged = sum(check.held is not None for check in checks)
    answers = f"{equal} of {judged} answers are equal within 10 %, the others undecided"
    left_out = "" if judged == len(checks) else f"; {len(checks) - judged} figures could not be measured"
    return f"Nothing was called better than itself: {answers}{left_out}."
