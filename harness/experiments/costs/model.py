"""What a workload will cost, by unit costs of every part fitted from measured runs."""

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
    """How messages that come close together share their way, by architecture. Both from 1 up, in a straight line."""

    write_s: Mapping[str, float]  # a write carries 1 + write_s * (messages a second of its room)
    request_s: Mapping[str, float]  # a request carries 1 + request_s * (records a second of its producer)

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
    """`predict` what a part does; `points` are the runs it was fitted on."""

    units: Mapping[str, UnitCosts]  # by part
    sharing: Sharing
    points: pd.DataFrame

    def predict(self, part: Component, arch: str, workload: Workload) -> Prediction:
        if not part.uses(arch):
            return NOTHING
        done = self.sharing.activity(arch, workload)
        users = [name for name in self.architectures if part.uses(name)]
        return self.units[part.name].predict(part.amounts(arch, workload, done, users))

    def predict_all(self, parts: Iterable[Component], arch: str, workload: Workload) -> Prediction:
        """Of these parts together."""
        return sum((self.predict(part, arch, workload) for part in parts), NOTHING)

    @property
    def architectures(self) -> list[str]:
        return sorted(self.points["arch"].unique())


def fit(points: pd.DataFrame) -> Model:
    """From a row a run, as harness.experiments.costs.observations makes them. Raises ValueError with too few to fit."""
    names = sorted(points["arch"].unique())
    sharing = Sharing(
        write_s={arch: _slope(*_of(points, arch, "room_rate_per_s", "frames_per_write")) for arch in names},
        request_s={
            arch: _slope(*_of(points, arch, "producer_records_per_s", "records_per_request"))
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
    """A run's workload, as it was: its spread too."""
    gateways, per_room = int(run["gateways"]), float(run["members"] / run["rooms"])
    return Workload(
        rooms=int(run["rooms"]),
        members_per_room=per_room,
        rate_per_s=float(run["publishes_per_s"]),
        payload_bytes=int(run["payload_bytes"]),
        gateways=gateways,
        spread=min(float(gateways), per_room),  # neighbours in a room sit on different gateways
    )


def _measured(run: pd.Series[Any]) -> tuple[Workload, Activity]:
    """What a run did, with what it measured of sharing."""
    workload = workload_of(run)
    records_per_request = run["records_per_request"]
    return workload, activity(
        str(run["arch"]),
        workload,
        frames_per_write=float(run["frames_per_write"]),
        records_per_request=1.0 if pd.isna(records_per_request) else float(records_per_request),
    )


def _of(points: pd.DataFrame, arch: str, *columns: str) -> list[Floats]:
    some = points.loc[points["arch"] == arch, list(columns)].dropna()
    return [some[column].to_numpy(dtype=float) for column in columns]


def _slope(xs: Floats, ys: Floats) -> float:
    """Of y = 1 + b x, by least squares on relative errors; at least zero."""
    weights = xs / ys
    total = float(np.dot(weights, weights))
    return max(0.0, float(np.dot(weights, (ys - 1) / ys)) / total) if total else 0.0
