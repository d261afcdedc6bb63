"""The accuracy of predictions for runs that were held out of the fit, from their workload alone."""

from __future__ import annotations

import msgspec
import numpy as np
import pandas as pd

from harness.experiments.costs.components import CPU_COMPONENTS, MEMORY_PARTS
from harness.experiments.costs.fit import NOTHING
from harness.experiments.costs.model import Model, workload_of

WHOLE = "CPU of gateways and brokers"
CHECKED = (*CPU_COMPONENTS, *MEMORY_PARTS)
ERROR_ASKED = 0.15  # the largest acceptable median error


class HeldOutAccuracy(msgspec.Struct, frozen=True, kw_only=True):
    """The errors of the predictions of one quantity, relative to the measurements."""

    what: str
    runs: int
    median_error: float
    worst_error: float
    within: float  # the share of runs whose measurement was within the 90 % interval


def held_out(model: Model, points: pd.DataFrame) -> pd.DataFrame:
    """One row for each run and quantity: `arch`, `what`, `predicted`, `low`, `high`, `measured`, `error` (relative)."""
    rows = []
    for _, run in points.iterrows():
        arch, workload = str(run["arch"]), workload_of(run)
        whole, measured_whole = NOTHING, 0.0
        for part in CHECKED:
            if not part.uses(arch):
                continue
            predicted, measured = model.predict(part, arch, workload), float(run[part.column])
            if part in CPU_COMPONENTS:
                whole, measured_whole = whole + predicted, measured_whole + measured
            rows.append((arch, part.name, predicted.interval, measured))
        rows.append((arch, WHOLE, whole.interval, measured_whole))
    return pd.DataFrame(
        [
            {
                "arch": arch,
                "what": what,
                "predicted": interval.value,
                "low": interval.low,
                "high": interval.high,
                "measured": measured,
                "error": abs(interval.value / measured - 1),
            }
            for arch, what, interval, measured in rows
        ]
    )


def summed_up(checked: pd.DataFrame) -> list[HeldOutAccuracy]:
    """The accuracy for each quantity, the total CPU first."""
    return [
        HeldOutAccuracy(
            what=what,
            runs=len(some),
            median_error=float(some["error"].median()),
            worst_error=float(some["error"].max()),
            within=float(np.mean((some["low"] <= some["measured"]) & (some["measured"] <= some["high"]))),
        )
        for what in (WHOLE, *(part.name for part in CHECKED))
        if len(some := checked[checked["what"] == what])
    ]
