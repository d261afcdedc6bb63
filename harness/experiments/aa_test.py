"""`chatbench selftest --long`: an A/A test. An architecture is compared with itself, and nothing may be better.

It runs under several labels in one comparison, so that planning, blocks, stopping and verdicts are those of
`chatbench compare`. What the labels tell apart is the same program with the same settings under the same load.
"""

from __future__ import annotations

import string
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import msgspec

from harness.analysis.percentiles import why_not_shown
from harness.analysis.verdicts import Answer, Verdict, judge
from harness.core.errors import ServiceFailed
from harness.core.progress import CampaignProgress
from harness.core.settings import ROUNDS_MAX, RunSettings, in_range
from harness.experiments.campaign import Campaign
from harness.experiments.comparison import run_campaign
from harness.experiments.selftest import FOUND, Check
from harness.results.blocks import SHAPE, Compared, Figure, compared
from harness.results.deliveries import wrong_deliveries
from harness.results.frames import RunRecord, read_records, runs_of
from harness.services.redis.server import find_server

RATES_PER_S = (50.0, 250.0)
WARMUP_S = 1.0
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
    """Judge all pairs of equals together, so that in 95 of 100 tests none of them is called better.

    Whatever could not be judged of a pair of equals has a check that says why.
    """
    architectures = {str(each.key["arch"]): each.summary.arch for each in records}
    found = compared(records)
    contrasts = [
        verdict.contrast
        for each in found
        for verdict in each.verdicts
        if architectures[verdict.contrast.first] == architectures[verdict.contrast.second]
    ]
    yield from map(_check, judge(contrasts))
    by_shape: dict[tuple[Any, ...], list[RunRecord]] = {}
    for record in records:
        by_shape.setdefault(tuple(record.key[column] for column in SHAPE), []).append(record)
    judged = {tuple(each.shape.values()): each for each in found}
    for shape, alike in by_shape.items():
        yield from _missing(alike, judged.get(shape))


def _missing(records: Sequence[RunRecord], judged: Compared | None) -> Iterator[Check]:
    """The figures of pairs of equals under one load shape that were not judged."""
    architectures = {str(each.key["arch"]): each.summary.arch for each in records}
    figures = () if judged is None else (*judged.costs, *judged.latencies)
    for pair in combinations(sorted(architectures), 2):
        if architectures[pair[0]] != architectures[pair[1]]:
            continue
        if out := [reason for name in pair for reason in _reasons_out(records, name)]:
            yield _not_judged("every figure", pair, " ".join(out))
        elif judged is None:
            yield _not_judged("every figure", pair, "too few runs")
        for figure in () if out else figures:
            if not any({each.first, each.second} == set(pair) for each in figure.contrasts):
                why = next((figure.left_out[name] for name in pair if name in figure.left_out), "too few blocks")
                yield _not_judged(figure.name, pair, figure.why_not or why, too_short=_too_short(figure))


def _reasons_out(records: Sequence[RunRecord], name: str) -> list[str]:
    own = [each for each in records if each.key["arch"] == name and each.summary.status == "complete"]
    return wrong_deliveries(runs_of(own), name)


def _too_short(figure: Figure) -> bool:
    """Whether the test had too few messages for this percentile, however fast the machine is."""
    if figure.percentile is None or figure.messages is None or not figure.blocks:
        return False
    return why_not_shown(figure.percentile, figure.messages) is not None


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


def _not_judged(figure: str, pair: tuple[str, str], why: str, *, too_short: bool = False) -> Check:
    one, other = pair
    return Check(
        what=f"{figure}: {one} over {other}",
        injected="1",
        reported=why,
        error="-",
        allowed="-",
        held=None,
        too_short=too_short,
    )


def summed_up(checks: Sequence[Check]) -> str:
    """Say in one sentence whether anything differs from itself, and what."""
    wrong = [f"{check.what}, {check.reported}" for check in checks if check.held is False]
    if wrong:
        return (
            f"A difference was found where there is none ({'; '.join(wrong)}): repeat it, because chance does this in "
            "one test of twenty, and do not trust comparisons on this machine if it happens again."
        )
    judged = sum(check.held is not None for check in checks)
    if not judged:
        return f"Nothing was judged, so that this test says nothing about comparisons on this machine{_rest(checks)}."
    equal = sum(check.reported.endswith(Answer.EQUAL) for check in checks)
    answers = f"{equal} of {judged} answers are equal within 10 %, the others undecided"
    return f"Nothing was called better than itself: {answers}{_rest(checks)}."


def _rest(checks: Sequence[Check]) -> str:
    """How many figures of pairs were not judged, and why the first of them was not."""
    missing = [check for check in checks if check.held is None]
    if not missing:
        return ""
    count = "1 figure of a pair was" if len(missing) == 1 else f"{len(missing)} figures of pairs were"
    return f"; {count} not judged ({missing[0].what}: {missing[0].reported.removesuffix('.')})"
