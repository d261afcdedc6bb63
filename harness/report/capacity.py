"""The output of `chatbench capacity` on a terminal."""

from __future__ import annotations

from rich.text import Text

from harness.experiments.capacity import Attempt, Capacity
from harness.report.cells import number_cell
from harness.report.fitting import Column, Fitted


def capacity_table(capacity: Capacity) -> Fitted:
    """Every run of the search, by rate."""
    attempts = sorted(capacity.attempts, key=lambda each: (each.rate_per_s, each.record))

    def latencies(column: str) -> list[str]:
        return [number_cell(getattr(each, column), ",.1f") if each.driver_valid else "not valid" for each in attempts]

    return Fitted(
        [
            Column("messages/s", [f"{each.rate_per_s:,g}" for each in attempts], right=True),
            Column(
                "deliveries/s", [number_cell(each.deliveries_per_s, ",.0f") for each in attempts], right=True, spare=2
            ),
            Column("p50 ms", latencies("p50_ms"), right=True, spare=1),
            Column("p99 ms", latencies("p99_ms"), right=True),
            Column("objective", map(_objective, attempts), folds=True),
        ],
        title=f"{capacity.arch} · {capacity.scenario} · {capacity.settings.members:,} members · "
        f"capacity: {capacity.rate_text}",
    )


def _objective(attempt: Attempt) -> Text:
    if attempt.held:
        return Text("held")
    what = ("broke:", "red") if attempt.driver_valid else ("unknown:", "yellow")
    return Text.assemble(what, f" {attempt.why}")


def capacity_lines(capacity: Capacity) -> list[Text]:
    """The capacity, the confidence in it, and what limited it."""
    objective = f"p99 <= {capacity.objective.p99_ms:g} ms, nothing lost, all sent"
    if capacity.rate_per_s is None and capacity.limited_by_driver:
        where = f"even at {capacity.broke_at_per_s:,g} messages/s the driver was the bottleneck ({capacity.broke_why})"
        return [Text(f"unknown: {where}; try fewer --members, or {_more_driver(capacity)}")]
    if capacity.rate_per_s is None:
        return [Text(f"the objective ({objective}) did not hold at any rate tried: {capacity.broke_why}")]
    sure = f"held in {capacity.held_runs} of {capacity.held_runs} runs"
    share = f"95 % sure that at least {capacity.held_at_least:.0%} of runs hold"
    found = Text.assemble("capacity: ", (capacity.rate_text, "bold"), f" ({objective}; {sure}: {share})")
    if capacity.broke_at_per_s is None:
        return [found, Text("no rate broke; higher rates were not tried")]
    lines = [
        f"at {capacity.broke_at_per_s:,g} messages/s it broke: {capacity.broke_why}",
        f"saturated at that rate: {', '.join(capacity.saturated) or 'no process, by its CPU time'}",
    ]
    if capacity.limited_by_driver:
        more = _more_driver(capacity)
        lines.append(f"the driver was the bottleneck, so the architecture itself may take more; try {more}")
    return [found, *map(Text, lines)]


def _more_driver(capacity: Capacity) -> str:
    workers, processes = capacity.settings.expect_workers, capacity.settings.processes
    return f"--expect-workers {2 * workers}" if workers else f"--processes {2 * processes}"
