"""A comparison as rows of text, with a column for each architecture; for the report and the documents."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from harness.report.comparison import ENDS, MISTAKES, Comparison, Contestant, Endured, Figure, Times, Workload
from harness.report.verdict import CPU, Recommendation
from harness.results.frames import METRICS, Metric
from harness.runs.promises import NOT_PROMISED, PromiseCheck

NOTHING = "-"


@dataclass(frozen=True, slots=True)
class Cell:
    value: str
    small: str = ""  # small print below the value
    mood: str = ""  # good | bad | soft


@dataclass(frozen=True, slots=True)
class Row:
    label: str
    cells: list[Cell]


@dataclass(frozen=True, slots=True)
class Section:
    """One workload. `rows` has a cell for each of `names`; ratios in small print are relative to `baseline`."""

    workload: str
    names: list[str]
    baseline: str | None
    verdict: Recommendation
    rows: list[Row]
    promises: list[Row]


def section_of(comparison: Comparison) -> Section:
    return Section(
        workload=workload_name(comparison.workload),
        names=comparison.names,
        baseline=comparison.baseline,
        verdict=comparison.verdict,
        rows=list(_rows(comparison.architectures)),
        promises=list(_promises(comparison.architectures)),
    )


def workload_name(workload: Workload) -> str:
    """The workload as a line of text."""
    return shape_name(workload, f"{workload.rate_per_s:g} msg/s")


class LoadShape(Protocol):
    """What a workload and a decision at several rates have in common."""

    @property
    def scenario(self) -> str: ...
    @property
    def members(self) -> int: ...
    @property
    def rooms(self) -> int | None: ...
    @property
    def gateways(self) -> int: ...
    @property
    def payload_bytes(self) -> int: ...


def shape_name(shape: LoadShape, rates: str = "") -> str:
    """The load as a line of text, with its rates if there is something to say of them."""

    def many(count: int, noun: str) -> str:
        return f"{count:,} {noun}{'' if count == 1 else 's'}"

    rooms = [] if shape.rooms is None else [many(shape.rooms, "room")]
    parts = [shape.scenario, many(shape.members, "member"), *rooms, many(shape.gateways, "gateway")]
    return " · ".join([*parts, *filter(None, [rates]), f"{shape.payload_bytes} bytes"])


JUDGED = (CPU, "latency_p50_ms", "latency_p99_ms")


def beside_a_decision(section: Section) -> Section:
    """The section with only what a decision on this load does not tell, and without ratios that it did not judge.

    The CPU per delivery at one rate mixes the fixed and the marginal cost, which a decision tells apart.
    """
    judged = {_label(metric) for metric in METRICS if metric.column in JUDGED}
    rows = [
        Row(row.label, [replace(cell, small="") for cell in row.cells])
        for row in section.rows
        if row.label not in judged
    ]
    return replace(section, baseline=None, rows=rows)


def _promises(contestants: Sequence[Contestant]) -> Iterator[Row]:
    """A row for each promise that any architecture made, over all rounds."""
    made = [[(check.promise, check) for check in each.promises] for each in contestants]
    for promise in dict.fromkeys(promise for checks in made for promise, _ in checks):
        yield Row(promise, [_promise([check for named, check in checks if named == promise]) for checks in made])


def _promise(checks: Sequence[PromiseCheck]) -> Cell:
    if not checks:
        return Cell("not promised", mood="soft")
    held, broken = ([check for check in checks if check.held is answer] for answer in (True, False))
    if broken:
        return Cell("broken", broken[0].evidence, mood="bad")
    if held:
        return Cell("held", "" if len(held) == 1 else f"in {len(held)} rounds", mood="good")
    why = checks[0].evidence.partition(": ")[0]  # a fault's name has a colon, but no space after it
    return Cell(why if why.startswith(NOT_PROMISED) else "not tested", mood="soft")


def _rows(contestants: Sequence[Contestant]) -> Iterator[Row]:
    for column, label in (("expected", "deliveries expected"), ("delivered", "delivered")):
        yield Row(label, [_count(getattr(each, column)) for each in contestants])
    for column, label in MISTAKES.items():
        yield Row(label, [_fault(getattr(each, column)) for each in contestants])
    yield from _fault_rows(contestants)
    if any(each.returns is not None for each in contestants):
        yield Row("members' returns", [_count(each.returns) for each in contestants])
        yield Row("messages missed while away", [_missed(each) for each in contestants])
    for metric in METRICS:
        if any(metric.column in each.figures for each in contestants):
            yield Row(_label(metric), [_metric(each, metric) for each in contestants])


def _fault_rows(contestants: Sequence[Contestant]) -> Iterator[Row]:
    """For each fault, how long each architecture took to recover (the longest of the rounds)."""
    endured = [{seen.fault: seen for seen in each.faults} for each in contestants]
    for fault in dict.fromkeys(fault for faults in endured for fault in faults):
        for column, label in zip(ENDS, ("heard again", "normal again"), strict=True):
            cells = [_after(faults[fault], column) if fault in faults else Cell(NOTHING) for faults in endured]
            yield Row(f"{label} after {fault}, s", cells)
        shares = [faults[fault].availability if fault in faults else None for faults in endured]
        if any(share is not None for share in shares):
            cells = [Cell(NOTHING if share is None else f"{share:.1%}") for share in shares]
            yield Row(f"available since {fault}", cells)


def _after(endured: Endured, column: str) -> Cell:
    ms = getattr(endured, column)
    if ms is None and column == "normal_ms" and not endured.comparable:
        return Cell("cannot tell")
    return Cell("not seen", mood="bad") if ms is None else Cell(f"{ms / 1000:,.1f}")


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
    """A percentile with the range of its rounds, or only the range if the rounds cannot be merged."""
    if figure.why_not is not None:
        return figure.why_not
    among = " to ".join(dict.fromkeys(format(end, metric.form) for end in (figure.least, figure.most)))
    if figure.value is None:
        return among
    value = format(figure.value, metric.form)
    return f"{value} ({among})" if metric.is_percentile and among != value else value


def times_text(times: Times) -> str:
    interval = "" if times.low is None else f" ({times.low:.2f}-{times.high:.2f})"
    return f"{times.ratio:.2f}x{interval}"
