"""What is said about one workload, before it is a page or a terminal table: verdict, rows of figures, promises."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from typing import Any

import pandas as pd

from harness.promises import NOT_PROMISED
from harness.report.frames import METRICS, Frames, Metric
from harness.report.verdict import Verdict, judge

NOTHING = "-"


@dataclass(frozen=True, slots=True)
class Cell:
    value: str
    small: str = ""  # printed small below it
    mood: str = ""  # good | bad | soft


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
    promises: list[Row]


def split_by(frames: Frames, columns: Sequence[str]) -> Iterator[Frames]:
    """The same frames, a part for each combination of values in these columns."""
    for _, workload in frames.runs[list(columns)].drop_duplicates().iterrows():
        yield Frames(**{field.name: _rows_of(getattr(frames, field.name), workload) for field in fields(frames)})


def _rows_of(frame: pd.DataFrame, workload: pd.Series[Any]) -> pd.DataFrame:
    chosen = pd.Series(True, index=frame.index)
    for column in workload.index:
        chosen &= frame[column].isna() if pd.isna(workload[column]) else frame[column] == workload[column]
    return frame[chosen]


def compare(frames: Frames) -> Comparison:
    """One workload's frames, compared."""
    names = sorted(frames.runs["arch"].unique())
    baseline = None if len(names) == 1 else "plan1" if "plan1" in names else names[0]
    return Comparison(
        workload=workload_name(frames.runs.iloc[0]),
        names=names,
        baseline=baseline,
        verdict=judge(frames),
        rows=list(_rows(frames, names, baseline)),
        promises=list(_promises(frames, names)),
    )


def workload_name(run: pd.Series[Any], *, rate: bool = True) -> str:
    """A workload for people, from any of its runs."""

    def many(count: Any, noun: str) -> str:
        return f"{count:,.0f} {noun}{'' if count == 1 else 's'}"

    rooms = [] if pd.isna(run["rooms"]) else [many(run["rooms"], "room")]
    parts = [run["scenario"], many(run["members"], "member"), *rooms, many(run["gateways"], "gateway")]
    rates = [f"{run['rate_per_s']:g} msg/s"] if rate else []
    return " · ".join([*parts, *rates, f"{run['payload_bytes']:g} bytes"])


def _promises(frames: Frames, names: list[str]) -> Iterator[Row]:
    """A row for each promise somebody made, over all rounds."""
    for promise, checks in frames.promises.groupby("promise", sort=False):
        yield Row(str(promise), [_promise(checks[checks["arch"] == name]) for name in names])


def _promise(checks: pd.DataFrame) -> Cell:
    if checks.empty:
        return Cell("not promised", mood="soft")
    held, broken = (checks[checks["held"] == answer] for answer in (True, False))
    if len(broken):
        return Cell("broken", broken["evidence"].iloc[0], mood="bad")
    if len(held):
        return Cell("held", "" if len(held) == 1 else f"in {len(held)} rounds", mood="good")
    why = str(checks["evidence"].iloc[0]).partition(": ")[0]  # a fault's name has a colon, but no blank after it
    return Cell(why if why.startswith(NOT_PROMISED) else "not tested", mood="soft")


def _rows(frames: Frames, names: list[str], baseline: str | None) -> Iterator[Row]:
    complete = frames.runs[frames.runs["status"] == "complete"]
    sums = complete.groupby("arch")[["expected", "delivered", "lost", "duplicated", "reordered"]].sum()
    for column, label in (("expected", "deliveries owed"), ("delivered", "delivered")):
        yield Row(label, [_count(sums, name, column) for name in names])
    for column, label in (("lost", "lost"), ("duplicated", "duplicated"), ("reordered", "out of order")):
        yield Row(label, [_fault(sums, name, column) for name in names])
    yield from _fault_rows(frames.faults, names)
    if complete["returns"].notna().any():
        back = complete.groupby("arch")[["returns", "away", "missed"]].sum()
        yield Row("members' returns", [_count(back, name, "returns") for name in names])
        yield Row("missed of what was said meanwhile", [_missed(back, name) for name in names])
    means = complete.groupby("arch")[[metric.column for metric in METRICS]].mean()
    for metric in METRICS:
        if metric.column in means and means[metric.column].notna().any():
            yield Row(_label(metric), [_metric(frames, means, metric, name, baseline) for name in names])


def _fault_rows(faults: pd.DataFrame, names: list[str]) -> Iterator[Row]:
    """For each fault that came, how soon it was over for whom: the longest of the rounds."""
    for kind, seen in faults.groupby("fault", sort=False):
        for column, label in (("first_delivery_ms", "heard again"), ("normal_ms", "normal again")):
            yield Row(
                f"{label} after {kind}, s",
                [_longest(seen.loc[seen["arch"] == name, column]) for name in names],
            )


def _longest(ms: pd.Series[float]) -> Cell:
    if ms.empty:
        return Cell(NOTHING)
    return Cell("not seen", mood="bad") if ms.isna().any() else Cell(f"{ms.max() / 1000:,.1f}")


def _label(metric: Metric) -> str:
    return f"{metric.label}, {metric.unit}" if metric.unit else metric.label


def _count(sums: pd.DataFrame, name: str, column: str) -> Cell:
    return Cell(f"{sums[column][name]:,.0f}") if name in sums.index else Cell(NOTHING)


def _fault(sums: pd.DataFrame, name: str, column: str) -> Cell:
    if name not in sums.index:
        return Cell(NOTHING)
    count = sums[column][name]
    return Cell("0", mood="good") if count == 0 else Cell(f"{count:,.0f}", mood="bad")


def _missed(sums: pd.DataFrame, name: str) -> Cell:
    if name not in sums.index or not sums["away"][name]:
        return Cell(NOTHING)
    share = sums["missed"][name] / sums["away"][name]
    return Cell("0", mood="good") if share == 0 else Cell(f"{share:.2%}", mood="bad")


def _brief(ratio: pd.Series[float]) -> str:
    interval = "" if pd.isna(ratio["low"]) else f" ({ratio['low']:.2f}-{ratio['high']:.2f})"
    return f"{ratio['ratio']:.2f}x{interval}"


def _metric(frames: Frames, means: pd.DataFrame, metric: Metric, name: str, baseline: str | None) -> Cell:
    value = means[metric.column].get(name)
    if value is None or pd.isna(value):
        return Cell(NOTHING)
    ratios = frames.ratios
    found = ratios[(ratios["metric"] == metric.column) & (ratios["arch"] == name) & (ratios["over"] == baseline)]
    return Cell(format(value, metric.form), _brief(found.iloc[0]) if len(found) else "")
