"""How well the model of latency predicts runs that were made after its fit."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import pandas as pd

from harness.experiments.costs.fit import Interval
from harness.experiments.costs.latency import (
    P99_MESSAGES,
    LatencyModel,
    NotPredicted,
    usable,
)
from harness.experiments.costs.model import shape_text, workload_of

P50, P99 = "p50", "p99"


class LatencyAccuracy(msgspec.Struct, frozen=True, kw_only=True):
    """The errors of predicted latencies, relative to those that were measured."""

    range: str  # as HeldOutAccuracy
    what: str  # p50 or p99
    runs: int  # that were predicted
    shapes: int
    not_predicted: int  # runs too close to saturation, or without a supported percentile
    median_error: float | None  # None: no run was predicted
    p90_error: float | None
    worst_error: float | None
    within: float | None  # the share of runs whose measurement was within the 90 % interval


def accuracies(model: LatencyModel, points: pd.DataFrame) -> list[LatencyAccuracy]:
    """The accuracy in each range of the points, which have the column `range`, for each percentile."""
    runs = usable(points, model.machine_cores)
    found = []
    for where in dict.fromkeys(runs["range"]):
        rows = checked(model, runs[runs["range"] == where])
        found += [accuracy(rows, what, where) for what in (P50, P99)]
    return found


def checked(model: LatencyModel, runs: pd.DataFrame) -> pd.DataFrame:
    """One row for each run and percentile that it supports: `shape`, `arch`, `what`, `measured`, `predicted`, `low`,
    `high`, `error` (relative), and `why` (None where it was predicted). Shapes have the same text in all calls."""
    rows = [row for _, run in runs.iterrows() for row in _rows(model, run)]
    columns = ["shape", "arch", "what", "measured", "predicted", "low", "high", "error", "why"]
    return pd.DataFrame(rows, columns=columns).astype(dict.fromkeys(columns[3:8], "float64"))


def accuracy(rows: pd.DataFrame, what: str, where: str) -> LatencyAccuracy:
    """Sum up the rows of `checked` for one percentile."""
    of_it = rows[rows["what"] == what]
    predicted = of_it[of_it["why"].isna()]
    errors = predicted["error"].abs()
    within = (predicted["low"] <= predicted["measured"]) & (predicted["measured"] <= predicted["high"])
    some = len(predicted) > 0
    return LatencyAccuracy(
        range=where,
        what=what,
        runs=len(predicted),
        shapes=int(predicted["shape"].nunique()),
        not_predicted=len(of_it) - len(predicted),
        median_error=float(errors.median()) if some else None,
        p90_error=float(errors.quantile(0.9)) if some else None,
        worst_error=float(errors.max()) if some else None,
        within=float(np.mean(within)) if some else None,
    )


def _rows(model: LatencyModel, run: pd.Series[Any]) -> list[dict[str, Any]]:
    arch, workload = str(run["arch"]), workload_of(run)
    common = {"shape": shape_text(workload), "arch": arch}
    found = model.predict_as_measured(arch, workload, float(run["slowness_ms"]))
    p50, p99 = (found, found) if isinstance(found, NotPredicted) else (found.p50_ms, found.p99_ms)
    intervals = {P50: p50, P99: p99} if run["independent_messages"] >= P99_MESSAGES else {P50: p50}
    rows = []
    for what, interval in intervals.items():
        measured = float(run[f"latency_from_sending_{what}_ms"])
        rows.append({**common, "what": what, "measured": measured, **_compared(interval, measured)})
    return rows


def _compared(interval: Interval | NotPredicted, measured: float) -> dict[str, Any]:
    if isinstance(interval, NotPredicted):
        return {"why": interval.why}
    return {
        "predicted": interval.value,
        "low": interval.low,
        "high": interval.high,
        "error": interval.value / measured - 1,
        "why": None,
    }
