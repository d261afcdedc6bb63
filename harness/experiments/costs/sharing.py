"""How many messages share a write to a member, and how many records share a produce request."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.optimize import minimize_scalar

from harness.experiments.costs.workload import (
    Activity,
    Workload,
    activity,
    records_of_a_producer_per_s,
    uses_kafka,
)

Floats = npt.NDArray[np.float64]
WAIT_MAX_S = 0.1


@dataclass(frozen=True, slots=True)
class Sharing:
    """How long messages wait for each other before they reach the gateway's rooms, by architecture.

    `wait_s`: one write carries so many more for each message per second of the room. `request_s`: one request carries
    so many more for each record per second of its producer and partition.
    """

    wait_s: Mapping[str, float]
    request_s: Mapping[str, float]

    def activity(self, arch: str, workload: Workload) -> Activity:
        records_per_s = records_of_a_producer_per_s(arch, workload)
        return activity(
            arch,
            workload,
            frames_per_write=float(frames_per_write(workload.room_rate_per_s, workload.tick_s, self.wait_s[arch])),
            records_per_request=1 + self.request_s.get(arch, 0.0) * records_per_s,
        )


def frames_per_write(room_rate_per_s: float | Floats, tick_s: float | Floats, wait_s: float) -> Floats:
    """How many messages of a room one write carries.

    A room that was quiet for a tick is written to at once, so with messages at random moments, rate r and tick t, the
    next one comes within t with the probability 1 - exp(-rt). It then waits for t, in which rt others come: 1 + rt (1 -
    exp(-rt)). Messages that have arrived together anyhow, rw of them, are hardly held up by the tick as well, so the
    longer of the two waits counts, with a smooth passage from one to the other.
    """
    by_tick = room_rate_per_s * tick_s * -np.expm1(-np.asarray(room_rate_per_s * tick_s))
    shared: Floats = 1 + np.hypot(by_tick, np.asarray(room_rate_per_s) * wait_s)
    return shared


def fit_sharing(points: pd.DataFrame) -> Sharing:
    """The waits of each architecture, by least squares on relative errors."""
    names = sorted(points["arch"].unique())
    return Sharing(
        wait_s={arch: _wait_s(points[points["arch"] == arch]) for arch in names},
        request_s={arch: _request_s(points[points["arch"] == arch]) for arch in names if uses_kafka(arch)},
    )


def _wait_s(runs: pd.DataFrame) -> float:
    rates_per_s, ticks_s, shared = _columns(runs, "room_rate_per_s", "tick_s", "frames_per_write")

    def squares(wait_s: float) -> float:
        return float(np.square(frames_per_write(rates_per_s, ticks_s, wait_s) / shared - 1).sum())

    return float(minimize_scalar(squares, bounds=(0.0, WAIT_MAX_S), method="bounded", options={"xatol": 1e-7}).x)


def _request_s(runs: pd.DataFrame) -> float:
    """The slope b of y = 1 + b x, or zero if it would be negative."""
    xs, ys = _columns(runs, "producer_records_per_s", "records_per_request")
    weights = xs / ys
    total = float(np.dot(weights, weights))
    slope = float(np.dot(weights, (ys - 1) / ys)) / total if total else 0.0
    return max(0.0, slope if math.isfinite(slope) else 0.0)


def _columns(runs: pd.DataFrame, *columns: str) -> list[Floats]:
    some = runs[list(columns)].dropna()
    return [some[column].to_numpy(dtype=float) for column in columns]
