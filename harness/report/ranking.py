"""A comparison on a terminal: the recommendation, and a row of key figures for each architecture."""

from __future__ import annotations

import math
from collections.abc import Iterator

from rich.text import Text

from harness.report.comparison import MISTAKES, Comparison, Contestant, Figure
from harness.report.fitting import Column, Fitted
from harness.report.section import NOTHING, times_text, workload_name
from harness.results.frames import METRICS, Metric

NOT_SHOWN = "n/a"
KEY_FIGURES = ("latency_p50_ms", "latency_p99_ms", "cpu_system_us_per_delivery")


def choice_lines(comparison: Comparison) -> list[str | Text]:
    """The lines above the table: the workload, the recommendation, and the reasons."""
    verdict = comparison.verdict
    choice = Text.assemble("For this workload: ", (verdict.choice, "bold"), f", because {verdict.because[0]}")
    lines = [*verdict.because[1:], *verdict.out, *_unsupported(comparison)]
    return [Text(workload_name(comparison.workload), style="italic"), choice, *lines]


def _unsupported(comparison: Comparison) -> Iterator[str]:
    """A sentence for each key figure that too few messages support."""
    for metric in METRICS:
        figures = [each.figures.get(metric.column) for each in comparison.architectures]
        why = sorted(figure.why_not for figure in figures if figure is not None and figure.why_not is not None)
        if why and metric.column in KEY_FIGURES:
            yield f"{metric.label} is {why[0]}."


def ranking(comparison: Comparison) -> Fitted:
    """A row of key figures for each architecture: the cheapest first, those with delivery errors last."""
    contestants = sorted(comparison.architectures, key=lambda each: (_wrong(each) != "", _cost(each), each.arch))
    p50, p99, cpu = (next(each for each in METRICS if each.column == column) for column in KEY_FIGURES)

    def values(metric: Metric) -> list[str]:
        return [_value(each, metric) for each in contestants]

    ranges = [_range(each.figures.get(p99.column), p99) for each in contestants]
    ratios = [_ratio(each.figures.get(cpu.column)) for each in contestants]
    columns = [
        Column("", [each.arch for each in contestants]),
        Column("wrong", [_wrong(each) or Text("0", style="green") for each in contestants], folds=True),
        Column("p50 ms", values(p50), right=True),
        Column("p99 ms", values(p99), right=True),
        *([Column("p99 by round", ranges, right=True, spare=1)] if any(ranges) else []),
        Column("CPU, us per delivery", values(cpu), right=True),
        *([Column(f"CPU, times {comparison.baseline}", ratios, right=True, spare=2)] if any(ratios) else []),
    ]
    return Fitted(columns)


def _wrong(contestant: Contestant) -> str:
    if not contestant.rounds:
        return "no complete run"
    counts = {label: getattr(contestant, column) for column, label in MISTAKES.items()}
    counts["missed while away"] = contestant.missed
    return ", ".join(f"{count:,} {label}" for label, count in counts.items() if count)


def _cost(contestant: Contestant) -> float:
    figure = contestant.figures.get(KEY_FIGURES[-1])
    return math.inf if figure is None or figure.value is None else figure.value


def _value(contestant: Contestant, metric: Metric) -> str:
    figure = contestant.figures.get(metric.column)
    if figure is None:
        return "not valid" if metric.is_percentile and contestant.driver_valid is False else NOTHING
    if figure.why_not is not None:
        return NOT_SHOWN
    return _range(figure, metric) if figure.value is None else format(figure.value, metric.form)


def _range(figure: Figure | None, metric: Metric) -> str:
    if figure is None or figure.rounds == 1 or figure.why_not is not None:
        return ""
    return f"{figure.least:{metric.form}} to {figure.most:{metric.form}}"


def _ratio(figure: Figure | None) -> str:
    return "" if figure is None or figure.times_baseline is None else times_text(figure.times_baseline)
