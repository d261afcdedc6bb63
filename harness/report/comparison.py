"""What is said about one workload, before it is a page or a terminal table: verdict, rows of figures, promises."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from typing import Any

import msgspec
import pandas as pd

from harness.promises import NOT_PROMISED, PromiseCheck
from harness.report.frames import METRICS, WORKLOAD, Frames, Metric
from harness.report.verdict import Verdict, judge

NOTHING = "-"
MISTAKES = {"lost": "lost", "duplicated": "duplicated", "reordered": "out of order"}
SUMMED = ("expected", "delivered", *MISTAKES, "returns", "away", "missed")


@dataclass(frozen=True, slots=True)
class Cell:
    value: str
    small: str = ""  # printed small below it
    mood: str = ""  # good | bad | soft


@dataclass(frozen=True, slots=True)
class Row:
    label: str
    cells: list[Cell]


class Times(msgspec.Struct, frozen=True):
    """How many times the baseline's figure, over the rounds that both have; no interval of a single one."""

    ratio: float
    low: float | None
    high: float | None


class Figure(msgspec.Struct, frozen=True):
    """One metric of one architecture: a percentile of all rounds merged, or else the mean of the rounds."""

    value: float | None  # None: of several rounds of which not all have kept a histogram
    least: float  # of the rounds
    most: float
    rounds: int
    times_baseline: Times | None


class Contestant(msgspec.Struct, frozen=True, kw_only=True):
    """One architecture in one comparison, over all its complete rounds. None: it has none, or nobody came back."""

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
    driver_valid: bool | None  # of every round
    figures: dict[str, Figure]  # by column of `runs`; one that was not measured, or is not valid, is missing
    promises: list[PromiseCheck]  # of every round


class Workload(msgspec.Struct, frozen=True, kw_only=True):
    """What all of them were put under."""

    scenario: str
    members: int
    rooms: int | None
    gateways: int
    rate_per_s: float
    payload_bytes: int


@dataclass(frozen=True, slots=True)
class Comparison:
    """One workload: a column of `rows` for each of `names`; small ratios are over `baseline`."""

    workload: str
    names: list[str]
    baseline: str | None
    verdict: Verdict
    rows: list[Row]
    promises: list[Row]
    of: Workload
    contestants: list[Contestant]  # in the order of `names`


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
    contestants = [_contestant(frames, name, baseline) for name in names]
    return Comparison(
        workload=workload_name(frames.runs.iloc[0]),
        names=names,
        baseline=baseline,
        verdict=judge(frames),
        rows=list(_rows(frames.faults, contestants)),
        promises=list(_promises(frames, names)),
        of=_workload(frames.runs.iloc[0]),
        contestants=contestants,
    )


def _workload(run: pd.Series[Any]) -> Workload:
    return msgspec.convert({column: _plain(run[column]) for column in WORKLOAD}, Workload, strict=False)


def _plain(value: Any) -> Any:
    """Without pandas' types, and None for what is missing."""
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
        promises=[
            PromiseCheck(check["promise"], _plain(check["held"]), check["evidence"])
            for check in checks.to_dict("records")
        ],
    )


def _figures(frames: Frames, rounds: pd.DataFrame, name: str, baseline: str | None) -> Iterator[tuple[str, Figure]]:
    percentiles = frames.percentiles[frames.percentiles["arch"] == name].set_index("metric")["merged_ms"]
    means = rounds.groupby("arch")[[metric.column for metric in METRICS]].mean()
    for column in (metric.column for metric in METRICS):
        of_rounds = rounds[column].dropna()
        if len(of_rounds):
            value = percentiles[column] if column in percentiles else means.at[name, column]
            times = _times(frames.ratios, column, name, baseline)
            yield column, Figure(_plain(value), float(of_rounds.min()), float(of_rounds.max()), len(of_rounds), times)


def _times(ratios: pd.DataFrame, column: str, name: str, baseline: str | None) -> Times | None:
    found = ratios[(ratios["metric"] == column) & (ratios["arch"] == name) & (ratios["over"] == baseline)]
    return None if found.empty else Times(*(_plain(found.iloc[0][each]) for each in Times.__struct_fields__))


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


def _rows(faults: pd.DataFrame, contestants: Sequence[Contestant]) -> Iterator[Row]:
    for column, label in (("expected", "deliveries owed"), ("delivered", "delivered")):
        yield Row(label, [_count(getattr(each, column)) for each in contestants])
    for column, label in MISTAKES.items():
        yield Row(label, [_fault(getattr(each, column)) for each in contestants])
    yield from _fault_rows(faults, [each.arch for each in contestants])
    if any(each.returns is not None for each in contestants):
        yield Row("members' returns", [_count(each.returns) for each in contestants])
        yield Row("missed of what was said meanwhile", [_missed(each) for each in contestants])
    for metric in METRICS:
        if any(metric.column in each.figures for each in contestants):
            yield Row(_label(metric), [_metric(each, metric) for each in contestants])


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


def _count(count: int | None) -> Cell:
    return Cell(NOTHING if count is None else f"{count:,}")


def _fault(count: int | None) -> Cell:
    if count is None:
        return Cell(NOTHING)
    return Cell("0", mood="good") if count == 0 else Cell(f"{count:,}", mood="bad")


def _missed(contestant: Contestant) -> Cell:
    if not contestant.away:
        return Cell(NOTHING)
    missed = contestant.missed or 0
    return Cell("0", mood="good") if missed == 0 else Cell(f"{missed / contestant.away:.2%}", mood="bad")


def _metric(contestant: Contestant, metric: Metric) -> Cell:
    figure = contestant.figures.get(metric.column)
    if figure is None:
        return Cell(NOTHING)
    return Cell(figure_of(figure, metric), "" if figure.times_baseline is None else times_text(figure.times_baseline))


def figure_of(figure: Figure, metric: Metric) -> str:
    """A percentile with its range of rounds; that alone where the rounds cannot be merged."""
    among = " to ".join(dict.fromkeys(format(end, metric.form) for end in (figure.least, figure.most)))
    if figure.value is None:
        return among
    value = format(figure.value, metric.form)
    return f"{value} ({among})" if metric.is_percentile and among != value else value


def times_text(times: Times) -> str:
    interval = "" if times.low is None else f" ({times.low:.2f}-{times.high:.2f})"
    return f"{times.ratio:.2f}x{interval}"
