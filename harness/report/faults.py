"""Charts and the table of a fault matrix. A chart shows the latency of each architecture over time under one fault."""

from __future__ import annotations

import re
from pathlib import Path

from harness.experiments.fault_matrix import Matrix, of_round, rows
from harness.report.charts import has_data
from harness.report.fitting import Column, Fitted
from harness.report.latency_charts import latency_over_time
from harness.report.style import save
from harness.results.frames import frames_of, read_records


def save_fault_charts(matrix: Matrix, folder: Path) -> None:
    """Draw a chart for each fault from the records in the matrix's folder, into its `charts/`."""
    for fault in dict.fromkeys(cell.fault for cell in matrix.cells):
        records = [folder / cell.record for cell in matrix.cells if cell.fault == fault and cell.record is not None]
        if not records:
            continue  # every run of this fault failed
        frames = frames_of(read_records(records))
        if has_data("latency_over_time", frames):
            save(latency_over_time(frames), folder / "charts", re.sub(r"\W", "_", fault))


# The columns that are always shown, and the others in the order in which they appear as the window gets wider.
ALWAYS = ("architecture", "fault", "verdict", "lost though acked", "normal again")
THEN = (
    "available",
    "heard again",
    "lost in a broken connection",
    "twice",
    "out of order",
    "lost, never acked",
    "not taken",
)


def faults_table(matrix: Matrix) -> Fitted:
    """A row for each architecture under each fault."""
    head, *body = rows(matrix)
    texts = {"architecture", "fault", "promised", "verdict"}
    spare = dict.fromkeys(head, len(THEN) + 1) | {name: rank for rank, name in enumerate(THEN, 1)}
    spare |= dict.fromkeys(ALWAYS, 0)
    return Fitted(
        [
            Column(name, cells, right=name not in texts, spare=spare[name])
            for name, *cells in zip(head, *body, strict=True)
        ],
        styles=["red" if any("BROKEN" in text for text in row) else "" for row in body],
    )


def faults_lines(matrix: Matrix) -> list[str]:
    """How many promises held, and which ones were broken."""
    judged = [cell for cell in matrix.cells if cell.held is not None]
    broken = [cell for cell in judged if not cell.held]
    untold = sum(cell.promised and cell.held is None for cell in matrix.cells)
    held = f"{len(judged) - len(broken)} of {len(judged)} promises to survive a fault held"
    lines = [f"{held}; for {untold} more the runs could not tell." if untold else f"{held}."]
    return lines + [f"BROKEN: {cell.arch} under {cell.fault}{of_round(cell, matrix)}." for cell in broken]
