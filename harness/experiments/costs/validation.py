"""The accuracy of predictions for runs that were made after the fit, from their workload alone.

The machine's speed in those runs is known from the probe beside them, and is taken out: the model is validated, not the
machine.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
import numpy as np
import pandas as pd

from harness.experiments.costs.components import CPU_COMPONENTS, MEMORY_PARTS
from harness.experiments.costs.fit import NOTHING, Interval
from harness.experiments.costs.model import Model, shape_text, workload_of

WHOLE = "CPU of gateways and brokers"
CHECKED = (*CPU_COMPONENTS, *MEMORY_PARTS)
ERRORS_ASKED = {"inside": 0.10, "outside": 0.20}  # the largest acceptable median errors of CPU, by range


class HeldOutAccuracy(msgspec.Struct, frozen=True, kw_only=True):
    """The errors of the predictions of one quantity, relative to the measurements."""

    range: str = "inside"  # between the sizes of the fitted runs; outside: three to four times beyond all of them
    what: str
    runs: int
    shapes: int = 0  # that these runs are of; the errors of the runs of one shape are alike
    median_error: float
    worst_error: float
    within: float  # the share of runs whose measurement was within the 90 % interval


def held_out(model: Model, points: pd.DataFrame) -> pd.DataFrame:
    """One row for each run and quantity: `range`, `shape`, `arch`, `what`, `predicted`, `low`, `high`, `measured`, and
    `error` (relative)."""
    return pd.DataFrame([row for _, run in points.iterrows() for row in _checked(model, run)])


def _checked(model: Model, run: pd.Series[Any]) -> Iterator[dict[str, Any]]:
    arch, workload = str(run["arch"]), workload_of(run)
    slowness_ms = float(run["slowness_ms"])
    common = {
        "range": run.get("range", "inside"),
        "shape": shape_text(workload),
        "arch": arch,
    }
    whole, measured_whole = NOTHING, 0.0
    for part in CHECKED:
        if not part.uses(arch):
            continue
        is_cpu = part in CPU_COMPONENTS
        predicted = model.predict(part, arch, workload, slowness_ms if is_cpu else None)
        measured = float(run[part.column])
        if not measured > 0:  # less than the clock tells, or not measured
            continue
        if is_cpu:
            whole, measured_whole = whole + predicted, measured_whole + measured
        yield {**common, **_row(part.name, predicted.interval, measured)}
    yield {**common, **_row(WHOLE, whole.interval, measured_whole)}


def _row(what: str, predicted: Interval, measured: float) -> dict[str, Any]:
    return {
        "what": what,
        "predicted": predicted.value,
        "low": predicted.low,
        "high": predicted.high,
        "measured": measured,
        "error": abs(predicted.value / measured - 1),
    }


def summed_up(checked: pd.DataFrame) -> list[HeldOutAccuracy]:
    """The accuracy for each range and quantity, the total CPU first."""
    return [
        HeldOutAccuracy(
            range=where,
            what=what,
            runs=len(some),
            shapes=some["shape"].nunique(),
            median_error=float(some["error"].median()),
            worst_error=float(some["error"].max()),
            within=float(np.mean((some["low"] <= some["measured"]) & (some["measured"] <= some["high"]))),
        )
        for where in ERRORS_ASKED
        for what in (WHOLE, *(part.name for part in CHECKED))
        if len(some := checked[(checked["what"] == what) & (checked["range"] == where)])
    ]
