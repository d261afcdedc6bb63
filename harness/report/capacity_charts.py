"""Which charts a search for capacities has, and what one sees in the first."""

from __future__ import annotations

from collections.abc import Iterator

from matplotlib.figure import Figure

from harness.experiments.axis import Over
from harness.experiments.capacity import Search
from harness.report import capacity_chart, speedup_chart


def charts_of(search: Search) -> Iterator[tuple[str, Figure]]:
    """The name of each chart and the chart; the one to look at first comes first."""
    if search.over is not Over.GATEWAYS:
        yield "capacity", capacity_chart.knees(search)
        return
    yield "speedup", speedup_chart.speedup(search)
    for number in search.gateways:
        yield f"capacity_{number}_gateways", capacity_chart.knees(search.on(number))


def finding(search: Search) -> str:
    """The sentence above the first chart."""
    return speedup_chart.finding(search) if search.over is Over.GATEWAYS else capacity_chart.finding(search)
