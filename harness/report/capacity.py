"""The output of `chatbench capacity` on a terminal."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

from rich.text import Text

from harness.analysis.holding import Estimate
from harness.experiments.attempt import DRIVER, FAILURE, LOADER, MACHINE, Attempt
from harness.experiments.axis import Over
from harness.experiments.capacity import RUNS_MAX, Capacity, Search, counted
from harness.report.cells import number_cell
from harness.report.fitting import Column, Fitted

UNTRIED = 4.0  # times the loads that were tried: an interval that ends beyond that says nothing of its end
# Why an architecture may take more than its limit says, by what was the limit instead.
WHY_AT_LEAST = {
    LOADER: "the driver was too slow",
    MACHINE: "all cores of this machine were busy, also with the driver",
    FAILURE: "runs failed for another reason",
}


def capacity_table(search: Search) -> Fitted:
    """A row for each architecture: up to which load it holds the objective, and what is in the way above it."""
    found = search.capacities
    return Fitted(
        [
            Column("architecture", [each.arch for each in found]),
            *([Column("gateways", [str(each.gateways) for each in found], right=True)] if search.gateways else []),
            Column(f"1 run in 2 holds at, {search.over.unit}", map(half_text, found), right=True),
            Column("95 in 100 at", [_estimate_text(each.sure, each) for each in found], right=True, spare=1),
            Column(
                "most deliveries/s", [number_cell(most_deliveries_per_s(each), ",.0f") for each in found], right=True
            ),
            Column("runs", [str(len(each.attempts)) for each in found], right=True),
            Column("above that", map(limit_text, found), folds=True),
        ],
        title=f"capacity · {search.fixed} · {search.objective}",
    )


def attempts_table(capacity: Capacity, over: Over) -> Fitted:
    """Every run of one architecture, by its load."""
    attempts = sorted(capacity.attempts, key=lambda each: (over.of(each), each.record))

    def latencies(column: str) -> list[str]:
        return [number_cell(getattr(each, column), ",.1f") if each.driver_valid else "not valid" for each in attempts]

    return Fitted(
        [
            Column(over.unit, [f"{over.of(each):,.10g}" for each in attempts], right=True),
            Column(
                "deliveries/s", [number_cell(each.deliveries_per_s, ",.0f") for each in attempts], right=True, spare=2
            ),
            Column("p50 ms", latencies("p50_ms"), right=True, spare=1),
            Column("p99 ms", latencies("p99_ms"), right=True),
            Column("objective", [_objective(each, capacity) for each in attempts], folds=True),
        ],
        title=f"every run of {capacity.contestant}",
    )


def does_not_count(attempt: Attempt, capacity: Capacity) -> bool:
    """Whether the run says nothing, because a process of the driver was full and it has had more since."""
    return attempt not in counted(capacity.attempts)


def _objective(attempt: Attempt, capacity: Capacity) -> Text:
    if attempt.held:
        return Text("held")
    if does_not_count(attempt, capacity):
        return Text(f"does not count: the driver had too few processes ({attempt.full_process})")
    return Text.assemble(("broke:", "red") if attempt.driver_valid else ("unknown:", "yellow"), f" {attempt.why}")


def half_text(capacity: Capacity) -> str:
    """The load at which one run in two holds, with its 95 % interval; > if the architecture may take more."""
    if capacity.half is not None:
        return f"{'> ' if capacity.at_least else ''}{_estimate_text(capacity.half, capacity)}"
    if capacity.highest_held is not None:
        return f"> {capacity.highest_held:,.10g}"
    if capacity.lowest_broken is not None and not capacity.at_least:
        return f"< {capacity.lowest_broken:,.10g}"
    return "not known"


def _estimate_text(estimate: Estimate | None, capacity: Capacity) -> str:
    if estimate is None:
        return "not known"
    value, low, high = (f"{float(f'{each:.3g}'):,.10g}" for each in (estimate.value, estimate.low, estimate.high))
    tried = max(capacity.highest_held or 0.0, capacity.lowest_broken or 0.0)
    return f"{value} ({low} or more)" if estimate.high > UNTRIED * tried else f"{value} ({low} to {high})"


def limit_text(capacity: Capacity) -> str:
    """What is in the way above that load."""
    if not capacity.attempts:
        return "nothing was tried within the budget"
    broken = capacity.broken_runs
    if not broken:
        return "no run broke; higher loads were not tried"
    most = f"; the search ended after {RUNS_MAX} runs" if len(counted(capacity.attempts)) >= RUNS_MAX else ""
    first = "" if capacity.limited_by is None else f"{capacity.limited_by} was the limit, not the architecture: "
    full = _counted(capacity.saturated, broken) or "no process, by its CPU time"
    return f"{first}{_counted(capacity.broke, broken)}; full was {full}{_cores_text(capacity)}{most}"


def _cores_text(capacity: Capacity) -> str:
    """The cores that each component used in the run that delivered most and held."""
    held = [each for each in capacity.attempts if each.held and each.cores_used]
    if not held:
        return ""
    used: dict[str, float] = defaultdict(float)
    for name, cores in max(held, key=lambda each: each.deliveries_per_s or 0.0).cores_used.items():
        used["driver" if name.startswith(DRIVER) else name] += cores
    each = ", ".join(f"{name} {cores:.2f}" for name, cores in sorted(used.items(), key=lambda item: -item[1]))
    return f"; cores used where most was delivered: {each}"


def _counted(counts: Mapping[str, int], of: int) -> str:
    return ", ".join(f"{what} in {count} of {of}" for what, count in counts.items())


def most_deliveries_per_s(capacity: Capacity) -> float | None:
    """The most deliveries per second of a run that held; None: none held."""
    held = [each.deliveries_per_s for each in capacity.attempts if each.held and each.deliveries_per_s is not None]
    return max(held, default=None)
