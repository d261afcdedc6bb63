"""What is said about one workload, before it is a page or a terminal table: verdict, rows of figures, promises."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any

import pandas as pd

from harness.report.frames import METRICS, WORKLOAD, Frames, Metric
from harness.report.verdict import Verdict, judge, times

NOTHING = "-"


@dataclass(frozen=True, slots=True)
class Cell:
    value: str
    ratio: str = ""
    mood: str = ""  # good | bad | nothing


@dataclass(frozen=True, slots=True)
class Row:
    label: str
    cells: list[Cell]


@dataclass(frozen=True, slots=True)
class Comparison:
    """One workload: a column of `rows` for each of `names`; small ratios are over `baseline`."""

    workload: str
    names: list[str]
    baseline: str | None
    verdict: Verdict
    rows: list[Row]
    promises: list[dict[str, str]]


def split_by_workload(frames: Frames) -> Iterator[Frames]:
    """The same frames, workload by workload."""
    for _, workload in frames.runs[list(WORKLOAD)].drop_duplicates().iterrows():
        yield Frames(**{field.name: _rows_of(getattr(frames, field.name), workload) for field in fields(frames)})


def _rows_of(frame: pd.DataFrame, workload: pd.Series[Any]) -> pd.DataFrame:
    chosen = pd.Series(True, index=frame.index)
    for column in WORKLOAD:
        chosen &= frame[column].isna() if pd.isna(workload[column]) else frame[column] == workload[column]
    return frame[chosen]


def compare(frames: Frames) -> Comparison:
    """One workload's frames, compared."""
    names = sorted(frames.runs["arch"].unique())
    baseline = None if len(names) == 1 else "plan1" if "plan1" in names else names[0]
    return Comparison(
        workload=_workload_name(frames.runs.iloc[0]),
        names=names,
        baseline=baseline,
        verdict=judge(frames),
        rows=list(_rows(frames, names, baseline)),
        promises=list(_promises(frames)),
    )


def _workload_name(run: pd.Series[Any]) -> str:
    def many(count: Any, noun: str) -> str:
        return f"{count:,.0f} {noun}{'' if count == 1 else 's'}"

    rooms = [] if pd.isna(run["rooms"]) else [many(run["rooms"], "room")]
    parts = [run["scenario"], many(run["members"], "member"), *rooms, many(run["gateways"], "gateway")]
    return " · ".join([*parts, f"{run['rate_per_s']:g} msg/s", f"{run['payload_bytes']:g} bytes"])


def _promises(frames: Frames) -> Iterator[dict[str, str]]:
    """Each promise of each architecture once, over all rounds."""
    for (arch, promise), checks in frames.promises.groupby(["arch", "promise"], sort=False):
        held, broken = (checks[checks["held"] == answer] for answer in (True, False))
        tested = len(held) + len(broken)
        shown = (broken if len(broken) else checks)["evidence"].iloc[0]
        yield {
            "arch": str(arch),
            "promise": str(promise),
            "held": "broken" if len(broken) else "held" if tested else "not tested",
            "mood": "bad" if len(broken) else "good" if tested else "soft",
            "evidence": f"in {len(held)} of {tested} rounds: {shown}" if tested > 1 else shown,
        }


def _rows(frames: Frames, names: list[str], baseline: str | None) -> Iterator[Row]:
    complete = frames.runs[frames.runs["status"] == "complete"]
    sums = complete.groupby("arch")[["expected", "delivered", "lost", "duplicated", "reordered"]].sum()
    yield Row("deliveries, of those owed", [_count(sums, name, "delivered", "expected") for name in names])
    for column, label in (("lost", "lost"), ("duplicated", "duplicated"), ("reordered", "out of order")):
        yield Row(label, [_fault(sums, name, column) for name in names])
    means = complete.groupby("arch")[[metric.column for metric in METRICS]].mean()
    for metric in METRICS:
        if metric.column in means and means[metric.column].notna().any():
            yield Row(_label(metric), [_metric(frames, means, metric, name, baseline) for name in names])


def _label(metric: Metric) -> str:
    return f"{metric.label}, {metric.unit}" if metric.unit else metric.label


def _count(sums: pd.DataFrame, name: str, part: str, whole: str) -> Cell:
    return Cell(f"{sums[part][name]:,.0f} of {sums[whole][name]:,.0f}") if name in sums.index else Cell(NOTHING)


def _fault(sums: pd.DataFrame, name: str, column: str) -> Cell:
    if name not in sums.index:
        return Cell(NOTHING)
    count = sums[column][name]
    return Cell("0", mood="good") if count == 0 else Cell(f"{count:,.0f}", mood="bad")


def _metric(frames: Frames, means: pd.DataFrame, metric: Metric, name: str, baseline: str | None) -> Cell:
    value = means[metric.column].get(name)
    if value is None or pd.isna(value):
        return Cell(NOTHING)
    ratios = frames.ratios
    found = ratios[(ratios["metric"] == metric.column) & (ratios["arch"] == name) & (ratios["over"] == baseline)]
    return Cell(format(value, metric.form), times(found.iloc[0]) if len(found) else "")
