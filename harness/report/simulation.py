"""The output of `chatbench simulate` on a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness.core.units import figure_text
from harness.experiments.simulation.check import BUSY_MAX, CheckedQuantity
from harness.experiments.simulation.study import (
    COMPONENTS,
    Simulated,
    Simulation,
    TimeSlice,
    clock,
    mean_cores,
    worst_of,
)
from harness.report.fitting import Column, Fitted


def simulation_tables(simulation: Simulation) -> Iterator[Fitted]:
    """A table for each architecture, with a row for each component."""
    for fleet in simulation.fleets:
        yield _table(fleet, simulation.day)


def _table(fleet: Simulated, day: bool) -> Fitted:
    names = list(fleet.servers)
    loads = {name: [each.components[name] for each in fleet.slices] for name in names}
    worst = {name: worst_of(fleet.slices, name) for name in names}
    columns = [
        Column("component", [COMPONENTS[name] for name in names]),
        Column("servers", [f"{fleet.servers[name]:,}" for name in names], right=True),
        Column("cores", [_cores_text(mean_cores(fleet, name, day)) for name in names], right=True),
    ]
    if day:
        columns.append(
            Column("at the peak", [_cores_text(max(load.cores for load in loads[name])) for name in names], right=True)
        )
    columns.append(Column("busiest", [f"{worst[name].components[name].busiest:.0%}" for name in names], right=True))
    if day:
        columns.append(Column("at", [clock(worst[name].at_s) for name in names]))
    columns += [
        Column("wait, ms", [_wait_text(max(load.wait_ms for load in loads[name])) for name in names], right=True),
        Column("", ["over its limit" if any(load.over for load in loads[name]) else "" for name in names]),
    ]
    return Fitted(columns, title=f"{fleet.arch}: {_latency_text(fleet.slices, day)}")


def _cores_text(cores: float) -> str:
    """The cores; `-` where they are part of another component's."""
    return figure_text(cores) if cores else "-"


def _wait_text(wait_ms: float) -> str:
    return f"{wait_ms:,.0f}" if wait_ms >= 100 else f"{wait_ms:.2f}"


def _latency_text(slices: Sequence[TimeSlice], day: bool) -> str:
    """The latency, over a day also that of the worst slice."""
    steady = [
        (each.latency_p50_ms, each.latency_p99_ms, each.at_s)
        for each in slices
        if each.latency_p50_ms is not None and each.latency_p99_ms is not None
    ]
    over = sum(any(load.over for load in each.components.values()) for each in slices)
    if not steady:
        return "no latency, as a component is over its limit" if over else "no latency, as nobody wrote"
    middle_ms = sorted(p50_ms for p50_ms, _, _ in steady)[len(steady) // 2]
    high_ms = sorted(p99_ms for _, p99_ms, _ in steady)[len(steady) // 2]
    text = f"p50 {figure_text(middle_ms)} ms, p99 {figure_text(high_ms)} ms"
    if day:
        _, most_ms, at_s = max(steady, key=lambda each: each[1])
        text += f" in the median slice; p99 at most {figure_text(most_ms)} ms, at {clock(at_s)}"
    return text if not over else f"{text}; none in {over} of {len(slices)} slices, which are over a limit"


def over_lines(simulation: Simulation) -> Iterator[str]:
    """A sentence for each component that is over its limit."""
    for fleet in simulation.fleets:
        for sentence in fleet.over:
            yield f"{fleet.arch}: {sentence[0].lower()}{sentence[1:]}"


def simulation_note(simulation: Simulation) -> str:
    """What was simulated, and what the columns mean."""
    first = simulation.fleets[0].slices
    seconds = first[0].window_s
    what = (
        f"Each of {len(first)} moments of the day is a window of up to {max(each.window_s for each in first):.2g} s, "
        "which starts with empty queues."
        if simulation.day
        else f"Simulated: {len(first)} slices of {seconds:.2g} s, after a quarter of that time to settle."
    )
    return (
        f"{what} busiest: the share of the time for which the busiest server is busy; wait: the mean in the worst "
        "slice. Cores of partitions and relays are part of the brokers' and the gateways'. Where a component is over "
        "its limit, those behind it get less than they would. How far the simulation is off: "
        "chatbench simulate --check DIR."
    )


def check_table(checked: Sequence[CheckedQuantity]) -> Fitted:
    """A row for each quantity that was compared."""
    return Fitted(
        [
            Column("", [each.what for each in checked]),
            Column("runs", [f"{each.runs:,}" for each in checked], right=True),
            Column("median error", [f"{each.median_error:.1%}" for each in checked], right=True),
            Column("worst", [f"{each.worst_error:,.0%}" for each in checked], right=True),
            Column("goal", ["" if each.goal is None else f"{each.goal:.0%}" for each in checked], right=True),
            Column("within it", ["" if each.within_goal is None else f"{each.within_goal:.0%}" for each in checked]),
        ],
        title=f"Runs with a valid driver whose processes used at most {BUSY_MAX:.0%} of the machine's cores",
    )
