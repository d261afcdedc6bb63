"""What a matrix of faults looks like: for each fault, how late everybody's messages were, second by second."""

from __future__ import annotations

import re
from pathlib import Path

from harness.experiments.fault_matrix import Matrix
from harness.report.charts import has_data, latency_over_time
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
