"""What a matrix of faults looks like: for each fault, how late everybody's messages were, second by second."""

from __future__ import annotations

import re
from pathlib import Path

from harness.experiments.fault_matrix import Matrix, of_round, rows
from harness.report.charts import has_data, latency_over_time
from harness.report.fitting import Column, Fitted
from harness.report.style import save
from harness.results.frames import frames_of, read_records


def save_fault_charts(matrix: Matrix, folder: Path) -> None:
    """Into `charts/` of the matrix's folder, from the records in it."""
    for fault in dict.fromkeys(cell.fault for cell in matrix.cells):
        records = [folder / cell.record for cell in matrix.cells if cell.fault == fault and cell.record is not None]
        if not records:
            continue  # each of its runs has failed
        frames = frames_of(read_records(records))
        if has_data("latency_over_time", frames):
            save(latency_over_time(frames), folder / "charts", re.sub(r"\W", "_", fault))


# Of the matrix's columns: those that are always shown, and in which order the others are as the window gets wider.
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
    """How many promises held, and which did not."""
    judged = [cell for cell in matrix.cells if cell.held is not None]
    broken = [cell for cell in judged if not cell.held]
    untold = sum(cell.promised and cell.held is None for cell in matrix.cells)
    held = f"{len(judged) - len(broken)} of {len(judged)} promises to survive a fault held"
    lines = [f"{held}, and of {untold} the runs could not tell." if untold else f"{held}."]
    return lines + [f"BROKEN: {cell.arch} under {cell.fault}{of_round(cell, matrix)}." for cell in broken]
