"""Predict the cost of a workload from unit costs that are fitted to measured runs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from harness.experiments.costs.components import COMPONENTS, Component
from harness.experiments.costs.fit import NOTHING, Floats, Prediction, UnitCosts, fit_units
from harness.experiments.costs.workload import Activity, Transfers, Workload, activity, uses_kafka


@dataclass(frozen=True, slots=True)
class Sharing:
    """How many messages share a write, and records a request, by architecture. Both grow linearly from 1."""

    write_s: Mapping[str, float]  # a write carries 1 + write_s * (messages per second of its room)
    request_s: Mapping[str, float]  # a request carries 1 + request_s * (records per second of its producer)

    def activity(self, arch: str, workload: Workload) -> Activity:
        records_per_s = workload.rate_per_s * Transfers.of(arch, workload.gateways, workload.spread).records
        return activity(
            arch,
            workload,
            frames_per_write=1 + self.write_s[arch] * workload.room_rate_per_s,
            records_per_request=1 + self.request_s.get(arch, 0.0) * records_per_s / workload.gateways,
        )


@dataclass(frozen=True, slots=True)
class Model:
    """Predicts the cost of each component. `points` are the runs that it was fitted to."""

    units: Mapping[str, UnitCosts]  # by the name of the component
    sharing: Sharing
    points: pd.DataFrame

    def predict(self, part: Component, arch: str, workload: Workload) -> Prediction:
        if not part.uses(arch):
            return NOTHING
        done = self.sharing.activity(arch, workload)
        users = [name for name in self.architectures if part.uses(name)]
        return self.units[part.name].predict(part.amounts(arch, workload, done, users))

    def predict_all(self, parts: Iterable[Component], arch: str, workload: Workload) -> Prediction:
        """The sum of the predictions for these components."""
        return sum((self.predict(part, arch, workload) for part in parts), NOTHING)

    @property
    def architectures(self) -> list[str]:
        return sorted(self.points["arch"].unique())


def fit(points: pd.DataFrame) -> Model:
    """Fit a model to the points of harness.experiments.costs.observations. Raises ValueError if there are too few."""
    names = sorted(points["arch"].unique())
    sharing = Sharing(
        write_s={arch: _slope(*_columns_of(points, arch, "room_rate_per_s", "frames_per_write")) for arch in names},
        request_s={
            arch: _slope(*_columns_of(points, arch, "producer_records_per_s", "records_per_request"))
            for arch in names
            if uses_kafka(arch)
        },
    )
    units = {}
    for part in COMPONENTS:
        users = [arch for arch in names if part.uses(arch)]
        some = points[points["arch"].isin(users)].dropna(subset=[part.column])
        amounts = [part.amounts(str(run["arch"]), *_measured(run), users) for _, run in some.iterrows()]
        units[part.name] = fit_units(part.names(users), np.array(amounts), some[part.column].to_numpy(dtype=float))
    return Model(units, sharing, points)


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
    )


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


def _columns_of(points: pd.DataFrame, arch: str, *columns: str) -> list[Floats]:
    some = points.loc[points["arch"] == arch, list(columns)].dropna()
    return [some[column].to_numpy(dtype=float) for column in columns]


def _slope(xs: Floats, ys: Floats) -> float:
    """The slope b of y = 1 + b x, by least squares on relative errors, or zero if it would be negative."""
    weights = xs / ys
    total = float(np.dot(weights, weights))
    return max(0.0, float(np.dot(weights, (ys - 1) / ys)) / total) if total else 0.0
