"""Predict the cost of a workload from unit costs that are fitted to measured runs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from harness.experiments.costs.components import COMPONENTS, CPU_COMPONENTS, Component
from harness.experiments.costs.fit import NOTHING, Prediction, Runs, UnitCosts, fit_units, resampled
from harness.experiments.costs.sharing import Sharing, fit_sharing
from harness.experiments.costs.workload import Activity, Workload, activity
from harness.gateway.adaptive_tick import TICK_MIN_S

SHAPE = ("gateways", "rooms", "members", "payload_bytes", "tick_s", "replicas")


@dataclass(frozen=True, slots=True)
class Model:
    """Predicts the cost of each component. `points` are the runs that it was fitted to."""

    units: Mapping[str, UnitCosts]  # by the name of the component
    sharing: Sharing
    points: pd.DataFrame
    slowness_ms: float  # the median of the machine in these runs; NaN: not measured
    architectures: list[str]
    replicas_measured: set[int]

    def predict(self, part: Component, arch: str, workload: Workload, slowness_ms: float | None = None) -> Prediction:
        """Predict the cost on a machine of that slowness; None: of the usual one."""
        if not part.uses(arch):
            return NOTHING
        done = self.sharing.activity(arch, workload)
        users = [name for name in self.architectures if part.uses(name)]
        amounts = part.amounts(arch, workload, done, users)
        slowness = self.relative_slowness(slowness_ms)
        return self.units[part.name].predict(amounts, f"{part.name} of {arch}", slowness)

    def predict_all(self, parts: Iterable[Component], arch: str, workload: Workload) -> Prediction:
        """The sum of the predictions for these components."""
        return sum((self.predict(part, arch, workload) for part in parts), NOTHING)

    def relative_slowness(self, slowness_ms: float | None) -> float:
        """The slowness relative to that of the fitted runs; 1 if one of them is not known."""
        relative = 1.0 if slowness_ms is None else slowness_ms / self.slowness_ms
        return 1.0 if np.isnan(relative) else relative


def fit(points: pd.DataFrame) -> Model:
    """Fit a model to the points of harness.experiments.costs.observations. Raises ValueError if there are too few."""
    names = sorted(points["arch"].unique())
    shape_of = points.groupby(list(SHAPE), sort=True).ngroup()
    drawn = resampled(int(shape_of.max()) + 1)
    slowness_ms = float(points["slowness_ms"].median())
    units = {}
    for part in COMPONENTS:
        users = [arch for arch in names if part.uses(arch)]
        runs = _runs(part, points[points["arch"].isin(users)], shape_of, users, slowness_ms)
        units[part.name] = fit_units(part.names(users), runs, drawn)
    return Model(units, fit_sharing(points), points, slowness_ms, names, set(points["replicas"]))


def workload_of(run: pd.Series[Any]) -> Workload:
    """The workload of a measured run, with its actual spread."""
    gateways, per_room = int(run["gateways"]), float(run["members"] / run["rooms"])
    return Workload(
        rooms=int(run["rooms"]),
        members_per_room=per_room,
        rate_per_s=float(run["publishes_per_s"]),
        payload_bytes=int(run["payload_bytes"]),
        gateways=gateways,
        spread=min(float(gateways), per_room),  # successive members of a room connect to different gateways
        tick_s=float(run.get("tick_s", TICK_MIN_S)),
        replicas=int(run.get("replicas", 1)),
    )


def shape_text(workload: Workload) -> str:
    """The rooms, gateways and replicas of a run, by which accuracies count its shape."""
    return f"{workload.rooms} x {workload.members_per_room:g} on {workload.gateways}, {workload.replicas}"


def _runs(
    part: Component, points: pd.DataFrame, shape_of: pd.Series[int], users: list[str], slowness_ms: float
) -> Runs:
    """The measured runs of a component, and for its CPU also what it used idle, once for each turn."""
    loaded = _observed(part, points.dropna(subset=[part.column]), part.column, "slowness_ms", users, idle=False)
    idle_column = f"idle_{part.column}"
    if part in CPU_COMPONENTS and idle_column in points:
        turns = points.dropna(subset=[idle_column]).drop_duplicates(["arch", *SHAPE, idle_column])
        loaded += _observed(part, turns, idle_column, "idle_slowness_ms", users, idle=True)
    slowness = np.array([each.slowness_ms for each in loaded]) / slowness_ms
    return Runs(
        amounts=np.array([each.amounts for each in loaded]),
        values=np.array([each.value for each in loaded]),
        slowness=np.where(np.isnan(slowness), 1.0, slowness),
        shapes=[int(shape_of[each.index]) for each in loaded],
    )


@dataclass(frozen=True, slots=True)
class _Observed:
    index: Any  # of the point
    amounts: list[float]
    value: float
    slowness_ms: float


def _observed(
    part: Component, points: pd.DataFrame, column: str, slowness: str, users: list[str], *, idle: bool
) -> list[_Observed]:
    found = []
    for index, run in points.iterrows():
        workload, done = _idle(run) if idle else _measured(run)
        amounts = part.amounts(str(run["arch"]), workload, done, users)
        if float(run[column]) > 0:
            found.append(_Observed(index, amounts, float(run[column]), float(run.get(slowness, float("nan")))))
    return found


def _measured(run: pd.Series[Any]) -> tuple[Workload, Activity]:
    """The workload and the activity of a run, with the measured sharing of writes and requests."""
    workload = workload_of(run)
    records_per_request = run["records_per_request"]
    return workload, activity(
        str(run["arch"]),
        workload,
        frames_per_write=float(run["frames_per_write"]),
        records_per_request=1.0 if pd.isna(records_per_request) else float(records_per_request),
    )


def _idle(run: pd.Series[Any]) -> tuple[Workload, Activity]:
    """The workload of a run while nobody writes."""
    workload = replace(workload_of(run), rate_per_s=0.0)
    return workload, activity(str(run["arch"]), workload, frames_per_write=1.0, records_per_request=1.0)
