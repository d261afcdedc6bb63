"""A comparison of one workload as data: the verdict, and the figures and promises of each architecture."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import fields
from typing import Any, TypeVar

import msgspec
import pandas as pd

from harness.core.registry import baseline_of
from harness.report.agreement import Agreement
from harness.report.decision import Decision
from harness.report.verdict import Recommendation, judge
from harness.results.blocks import SHAPE
from harness.results.frames import METRICS, WORKLOAD, Frames
from harness.results.slowest import Slowest
from harness.results.stage_differences import StageDifference
from harness.runs.promises import PromiseCheck

MISTAKES = {"lost": "lost", "duplicated": "duplicated", "reordered": "out of order"}
ENDS = ("first_delivery_ms", "normal_ms")
SUMMED = ("expected", "delivered", *MISTAKES, "returns", "away", "missed")


OfStages = TypeVar("OfStages", Slowest, StageDifference)


class Times(msgspec.Struct, frozen=True):
    """The ratio to the baseline's figure, over the rounds that both have. One round gives no interval."""

    ratio: float
    low: float | None
    high: float | None


class Figure(msgspec.Struct, frozen=True):
    """One metric of one architecture: a percentile of all rounds merged, or the mean of the rounds."""

    # None: a percentile that too few messages support, or of several rounds of which not all kept a histogram.
    value: float | None
    least: float  # of the rounds
    most: float
    rounds: int
    times_baseline: Times | None
    why_not: str | None = None  # what is shown in its place if too few messages support it


class Endured(msgspec.Struct, frozen=True):
    """A fault and the longest recovery of the rounds. None: the recovery was not seen in one of the rounds."""

    fault: str
    first_delivery_ms: float | None
    normal_ms: float | None
    comparable: bool  # whether each round had enough messages before the fault to know what is normal
    availability: float | None  # the lowest of the rounds


class Contestant(msgspec.Struct, frozen=True, kw_only=True):
    """One architecture over all its complete rounds. None: there are none, or no member came back."""

    arch: str
    rounds: int
    expected: int | None
    delivered: int | None
    lost: int | None
    duplicated: int | None
    reordered: int | None
    returns: int | None
    away: int | None
    missed: int | None
    driver_valid: bool | None  # whether it was valid in every round
    figures: dict[str, Figure]  # by column of `runs`; one that was not measured, or is not valid, is missing
    faults: list[Endured]
    promises: list[PromiseCheck]  # of every round


class Workload(msgspec.Struct, frozen=True, kw_only=True):
    """The workload that all architectures were given."""

    scenario: str
    members: int
    rooms: int | None
    gateways: int
    rate_per_s: float
    payload_bytes: int


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """One workload: the recommendation, and the figures of each architecture."""

    workload: Workload
    baseline: str | None  # the architecture that ratios refer to; None: there is only one
    verdict: Recommendation
    architectures: list[Contestant]  # by name

    @property
    def names(self) -> list[str]:
        return [each.arch for each in self.architectures]


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """The content of a report, and where it is."""

    page: str
    frames: str
    left_out: list[str]  # what could not be read, in sentences
    comparisons: list[Comparison]
    decisions: list[Decision] = []  # of comparisons in blocks; with one block, nothing can be decided
    agreements: list[Agreement] = []  # of each two comparisons of the same load
    slowest: list[Slowest] = []  # the slowest traced messages of each architecture under each workload
    stage_differences: list[StageDifference] = []  # why the others are slower than the fastest, under each workload


def decision_on(workload: Workload, decisions: Sequence[Decision]) -> Decision | None:
    """The decision on the load shape that this workload is one rate of."""
    for each in decisions:
        if all(getattr(each, column) == getattr(workload, column) for column in SHAPE):
            return each
    return None


def under(workload: Workload, found: Sequence[OfStages]) -> list[OfStages]:
    """What was found under this workload."""
    return [each for each in found if all(getattr(each, name) == getattr(workload, name) for name in WORKLOAD)]


def undecided(report: Report) -> list[Comparison]:
    """The comparisons that no decision covers, such as those of one round."""
    return [each for each in report.comparisons if decision_on(each.workload, report.decisions) is None]


def split_by(frames: Frames, columns: Sequence[str]) -> Iterator[Frames]:
    """Split the frames into one part for each combination of values in these columns."""
    for _, workload in frames.runs[list(columns)].drop_duplicates().iterrows():
        yield Frames(**{field.name: _rows_of(getattr(frames, field.name), workload) for field in fields(frames)})


def _rows_of(frame: pd.DataFrame, workload: pd.Series[Any]) -> pd.DataFrame:
    chosen = pd.Series(True, index=frame.index)
    for column in workload.index:
        chosen &= frame[column].isna() if pd.isna(workload[column]) else frame[column] == workload[column]
    return frame[chosen]


def compare(frames: Frames) -> Comparison:
    """The comparison of the architectures in the frames of one workload."""
    names = sorted(frames.runs["arch"].unique())
    baseline = None if len(names) == 1 else baseline_of(names)
    return Comparison(
        workload=workload_of(frames.runs.iloc[0]),
        baseline=baseline,
        verdict=judge(frames),
        architectures=[_contestant(frames, name, baseline) for name in names],
    )


def workload_of(run: pd.Series[Any]) -> Workload:
    """The workload of a row of `runs`."""
    return msgspec.convert({column: _plain(run[column]) for column in WORKLOAD}, Workload, strict=False)


def _plain(value: Any) -> Any:
    """The value as a plain Python type, or None if it is missing."""
    return None if pd.isna(value) else value.item() if hasattr(value, "item") else value


def _contestant(frames: Frames, name: str, baseline: str | None) -> Contestant:
    rounds = frames.runs[(frames.runs["arch"] == name) & (frames.runs["status"] == "complete")]
    sums = {column: rounds[column].sum(min_count=1) for column in SUMMED}
    checks = frames.promises[frames.promises["arch"] == name]
    return Contestant(
        arch=name,
        rounds=len(rounds),
        **{column: None if pd.isna(count) else int(count) for column, count in sums.items()},
        driver_valid=None if rounds.empty else bool((rounds["driver_valid"] == True).all()),  # noqa: E712 - of True, False and None
        figures=dict(_figures(frames, rounds, name, baseline)),
        faults=[
            Endured(
                str(fault),
                **{column: _plain(seen[column].max(skipna=False)) for column in ENDS},
                comparable=bool(seen["comparable"].all()),
                availability=_plain(seen["availability"].min(skipna=False)),
            )
            for fault, seen in frames.faults[frames.faults["arch"] == name].groupby("fault", sort=False)
        ],
        promises=[
            PromiseCheck(check["promise"], _plain(check["held"]), check["evidence"])
            for check in checks.to_dict("records")
        ],
    )


def _figures(frames: Frames, rounds: pd.DataFrame, name: str, baseline: str | None) -> Iterator[tuple[str, Figure]]:
    own = frames.percentiles[frames.percentiles["arch"] == name]
    percentiles = {row["metric"]: row for row in own.to_dict("records")}
    means = rounds.groupby("arch")[[metric.column for metric in METRICS]].mean()
    for metric in METRICS:
        column, of_rounds = metric.column, rounds[metric.column].dropna()
        if of_rounds.empty:
            continue
        value = means.at[name, column]
        times, why_not = _times(frames.ratios, column, name, baseline), None
        if column in percentiles:
            value = percentiles[column]["merged_ms"]
            why_not = metric.why_not_shown(percentiles[column]["messages"])
        if why_not is not None:
            value = times = None
        yield (
            column,
            Figure(_plain(value), float(of_rounds.min()), float(of_rounds.max()), len(of_rounds), times, why_not),
        )


def _times(ratios: pd.DataFrame, column: str, name: str, baseline: str | None) -> Times | None:
    found = ratios[(ratios["metric"] == column) & (ratios["arch"] == name) & (ratios["over"] == baseline)]
    return None if found.empty else Times(*(_plain(found.iloc[0][each]) for each in Times.__struct_fields__))
