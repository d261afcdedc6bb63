"""The page of `chatbench capacity`: the limits, the chart, and every run with what was full in it."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from harness.core.units import duration_text
from harness.experiments.axis import Over
from harness.experiments.capacity import Capacity, Search
from harness.report.capacity import attempts_table, capacity_table
from harness.report.capacity_chart import runs_text
from harness.report.capacity_charts import charts_of, finding
from harness.report.fitting import Fitted
from harness.report.inline import on_page
from harness.report.page import write_page
from harness.report.speedup import speedup_table
from harness.report.style import colours_of

PAGE = "report.html"
RAISED = {Over.RATE: ("rate_per_s",), Over.GATEWAYS: ("rate_per_s", "gateways"), Over.MEMBERS: ("members",)}
NOTE = (
    "The 95 % interval of each limit follows in brackets. > : the architecture may take more, because no run broke, or "
    "because something else was the limit in most of the runs that broke near it, which the last column names. A "
    "process or thread counts as full from 85 % of a core, and the machine from 85 % of all."
)


def write_capacity(search: Search, folder: Path) -> Path:
    """Write the chart and report.html into the folder of the search, and return the path of the page."""
    charts = [on_page(drawn, folder / "charts", name) for name, drawn in charts_of(search)]
    head, body = _rows(capacity_table(search))
    grown_head, grown = _rows(speedup_table(search)) if search.over is Over.GATEWAYS else ([], [])
    write_page(
        folder / PAGE,
        "capacity.html.j2",
        title=f"capacity of {', '.join(search.architectures)}",
        made=f"{runs_text(search)}.",
        load=f"{search.fixed} · {search.objective}",
        finding=finding(search),
        head=head,
        body=body,
        note=NOTE,
        grown_head=grown_head,
        grown=grown,
        charts=charts,
        attempts=[_runs(each, search.over) for each in search.capacities if each.attempts],
        colours=colours_of(search.architectures),
        settings=list(_settings(search)),
        command=shlex.join(search.command),
    )
    return folder / PAGE


def _runs(capacity: Capacity, over: Over) -> dict[str, Any]:
    head, body = _rows(attempts_table(capacity, over))
    return {"arch": str(capacity.contestant), "head": head, "body": body}


def _rows(table: Fitted) -> tuple[list[str], list[list[str]]]:
    """The heads of the columns, and the rows."""
    cells = [[cell.plain for cell in column.cells] for column in table.columns]
    return [column.head for column in table.columns], [list(row) for row in zip(*cells, strict=True)]


def _settings(search: Search) -> Iterator[tuple[str, str]]:
    settings = search.settings
    for name in settings.__struct_fields__:
        if name not in ("arch", "out", *RAISED.get(search.over, ())):
            yield name.replace("_", " "), str(getattr(settings, name))
    yield "precision", f"{search.precision:.0%}"
    yield "time to measure", duration_text(search.budget_s)
