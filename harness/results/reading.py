"""Read the files of a record. They are untrusted: a kill or a full disk may have cut them, or somebody edited them."""

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
from harness.runs.record import CPU_COLUMNS, TIMESERIES_COLUMNS, read_summary
from harness.runs.summary import Summary

COUNTED = ("second", "said", "acked", "delivered")
EACH_GATEWAY, NUMBERS = "each_gateway_cpu_ms", r"([0-9.]+|-)( ([0-9.]+|-))*"
NUMBER_MAX = 2**53  # larger than any count of a run
OnUnreadable = Callable[[Path, Exception], None]


def refuse(file: Path, problem: Exception) -> None:
    """Raise UsageError. For commands that need every file."""
    raise UsageError(f"{_unreadable(file, problem)}; move the record away or repair it") from problem


def leaving_out(left_out: list[str]) -> OnUnreadable:
    """Add a sentence to `left_out` and continue. For commands that can do without the file."""

    def note(file: Path, problem: Exception) -> None:
        left_out.append(f"left out: {_unreadable(file, problem)}")

    return note


def _unreadable(file: Path, problem: Exception) -> str:
    why = problem.strerror if isinstance(problem, OSError) else " ".join(str(problem).split())
    return f"{file} cannot be read ({why})"


def read_run(folder: Path, on_unreadable: OnUnreadable = refuse) -> tuple[Summary, Manifest] | None:
    """The summary and the manifest of a record, or None if one of them cannot be read."""
    try:
        summary = read_summary(folder)
        _check_numbers(msgspec.to_builtins(summary))
    except (OSError, ValueError, RecursionError) as problem:
        on_unreadable(folder / "summary.json", problem)
        return None
    try:
        manifest = read_manifest(folder)
        _check_numbers(msgspec.to_builtins(manifest))
    except (OSError, ValueError, RecursionError) as problem:
        on_unreadable(folder / "manifest.json", problem)
        return None
    return summary, manifest


def _check_numbers(values: Any) -> None:
    """Raises ValueError for a number that no run could have."""
    if isinstance(values, dict | list):
        for each in values.values() if isinstance(values, dict) else values:
            _check_numbers(each)
    elif isinstance(values, int | float) and not abs(values) <= NUMBER_MAX:
        raise ValueError(f"it has a number that no run could have, {values:.3g}")


def read_seconds(file: Path, on_unreadable: OnUnreadable = refuse) -> pd.DataFrame:
    """One row for each second, as Record.add_second wrote it. Incomplete rows are reported and left out."""
    none = pd.DataFrame(columns=[*TIMESERIES_COLUMNS, *CPU_COLUMNS])
    try:
        lines = file.read_bytes().split(b"\n")
        whole = [line for line in lines[:-1] if b"\0" not in line]
        rows = pd.read_csv(
            io.BytesIO(b"\n".join(whole)), dtype=str, on_bad_lines="skip", encoding_errors="replace", quoting=3
        )
        if missing := [column for column in TIMESERIES_COLUMNS if column not in rows.columns]:
            raise ValueError(f"it has no column {missing[0]}")
    except (OSError, ValueError) as problem:
        on_unreadable(file, problem)
        return none
    rows = rows.reindex(columns=[*TIMESERIES_COLUMNS, *CPU_COLUMNS])  # older records do not have CPU_COLUMNS
    figures = rows.drop(columns=["phase", EACH_GATEWAY]).apply(pd.to_numeric, errors="coerce")
    figures = figures.astype("float64").where(lambda each: (each >= 0) & (each <= NUMBER_MAX))
    good = figures[list(COUNTED)].notna().all(axis="columns") & rows["phase"].isin(["warm-up", "measure"])
    if cut := len(lines) - 2 - int(good.sum()) + bool(lines[-1]):
        on_unreadable(file, ValueError(f"{cut} of its lines {'is' if cut == 1 else 'are'} incomplete or not numeric"))
    texts = rows[EACH_GATEWAY].astype(object)
    each_gateway = texts.where(texts.astype("string").str.fullmatch(NUMBERS).fillna(False).astype(bool), None)
    seconds: pd.DataFrame = pd.concat([rows["phase"], figures, each_gateway], axis="columns")[list(rows.columns)]
    seconds = seconds[good].reset_index(drop=True)
    return seconds.astype(dict.fromkeys(COUNTED, np.int64))


def read_histogram(file: Path, on_unreadable: OnUnreadable = refuse) -> Latencies | None:
    """The histogram in the file, or None if it cannot be read."""
    try:
        return Latencies.decode(file.read_bytes())
    except (OSError, ValueError) as problem:
        on_unreadable(file, problem)
        return None
