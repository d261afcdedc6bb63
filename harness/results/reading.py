"""The files of a record. Each is outside input: cut by a kill or a full disk, somebody else's, or mended by hand."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pandas as pd

from harness.core.errors import UsageError
from harness.measure.histogram import Latencies
from harness.runs.manifest import Manifest, read_manifest
from harness.runs.record import TIMESERIES_COLUMNS, read_summary
from harness.runs.summary import Summary

COUNTED = ("second", "said", "acked", "delivered")
NUMBER_MAX = 2**53  # more than anything that a run counts
Tell = Callable[[Path, Exception], None]


def refuse(file: Path, problem: Exception) -> None:
    """What a command does that needs every file: raises UsageError."""
    raise UsageError(f"{_unreadable(file, problem)}; move the record away or mend it") from problem


def leaving_out(left_out: list[str]) -> Tell:
    """What a command does that goes on without a file: it notes that here, to be shown."""

    def note(file: Path, problem: Exception) -> None:
        left_out.append(f"left out: {_unreadable(file, problem)}")

    return note


def _unreadable(file: Path, problem: Exception) -> str:
    why = problem.strerror if isinstance(problem, OSError) else " ".join(str(problem).split())
    return f"{file} cannot be read ({why})"


def read_run(folder: Path, tell: Tell = refuse) -> tuple[Summary, Manifest] | None:
    """Its summary and its manifest; None for a record that one of them is missing of."""
    try:
        summary = read_summary(folder)
        _check_numbers(msgspec.to_builtins(summary))
    except (OSError, ValueError, RecursionError) as problem:
        tell(folder / "summary.json", problem)
        return None
    try:
        manifest = read_manifest(folder)
        _check_numbers(msgspec.to_builtins(manifest))
    except (OSError, ValueError, RecursionError) as problem:
        tell(folder / "manifest.json", problem)
        return None
    return summary, manifest


def _check_numbers(values: Any) -> None:
    """Raises ValueError for one that no run could have."""
    if isinstance(values, dict | list):
        for each in values.values() if isinstance(values, dict) else values:
            _check_numbers(each)
    elif isinstance(values, int | float) and not abs(values) <= NUMBER_MAX:
        raise ValueError(f"it has a number that no run could have, {values:.3g}")


def read_seconds(file: Path, tell: Tell = refuse) -> pd.DataFrame:
    """A row a second, as Record.add_second has written them; those that are cut are told and left out."""
    none = pd.DataFrame(columns=list(TIMESERIES_COLUMNS))
    try:
        lines = file.read_bytes().split(b"\n")
        whole = [line for line in lines[:-1] if b"\0" not in line]
        rows = pd.read_csv(
            io.BytesIO(b"\n".join(whole)), dtype=str, on_bad_lines="skip", encoding_errors="replace", quoting=3
        )
        if missing := [column for column in TIMESERIES_COLUMNS if column not in rows.columns]:
            raise ValueError(f"it has no column {missing[0]}")
    except (OSError, ValueError) as problem:
        tell(file, problem)
        return none
    figures = rows[list(TIMESERIES_COLUMNS[1:])].apply(pd.to_numeric, errors="coerce")
    figures = figures.astype("float64").where(lambda each: (each >= 0) & (each <= NUMBER_MAX))
    good = figures[list(COUNTED)].notna().all(axis="columns") & rows["phase"].isin(["warm-up", "measure"])
    if cut := len(lines) - 2 - int(good.sum()) + bool(lines[-1]):
        tell(file, ValueError(f"{cut} of its lines {'is' if cut == 1 else 'are'} cut, or no figures"))
    seconds: pd.DataFrame = pd.concat([rows["phase"], figures], axis="columns")[good].reset_index(drop=True)
    return seconds.astype(dict.fromkeys(COUNTED, np.int64))


def read_histogram(file: Path, tell: Tell = refuse) -> Latencies | None:
    """None for one that cannot be read."""
    try:
        return Latencies.decode(file.read_bytes())
    except (OSError, ValueError) as problem:
        tell(file, problem)
        return None
