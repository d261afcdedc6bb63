"""The predicted resources of one architecture for a chat."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import pandas as pd

from harness.experiments.costs.components import MEMORY_PARTS
from harness.experiments.costs.fit import Interval
from harness.experiments.costs.latency import LatencyModel, NotPredicted
from harness.experiments.costs.model import Model
from harness.experiments.costs.sizing import Sized
from harness.experiments.costs.traffic import backend_bytes_per_s, records_bytes_per_s, scaled, to_members_bytes_per_s
from harness.experiments.costs.workload import Workload

NOT_FITTED = NotPredicted("these runs have not measured latencies that it can be fitted to")


class Cost(msgspec.Struct, frozen=True, kw_only=True):
    """The predicted resources of one architecture. Bytes exclude IP and TCP; disk is for one replica."""

    arch: str
    gateways: int
    cores: Interval
    p_cheapest: float | None  # the probability that it takes the fewest cores; None: infeasible, or too far to tell
    cores_of: dict[str, Interval]  # by part: gateway, kafka, redis
    memory_bytes: Interval
    to_members_bytes_per_s: Interval
    backend_bytes_per_s: Interval  # into and out of Kafka and Redis
    disk_bytes_per_day: Interval
    # Predicted delivery latency where each gateway has a core of its own; None: `latency_not_predicted` says why.
    p50_ms: Interval | None
    p99_ms: Interval | None
    latency_not_predicted: str | None
    # The measured run most like this chat, and its delivery latency; None: not valid.
    nearest: str
    nearest_p50_ms: float | None
    nearest_p99_ms: float | None


def cost_of(
    sized: Sized, workload: Workload, model: Model, latency: LatencyModel | None, p_cheapest: float | None
) -> Cost:
    """The cost of a sized chat with that workload."""
    arch = sized.arch
    memory = model.predict_all(MEMORY_PARTS, arch, workload)
    nearest = _nearest(arch, workload, model.points)
    predicted = NOT_FITTED if latency is None else latency.predict(arch, workload)
    p50, p99 = (predicted, predicted) if isinstance(predicted, NotPredicted) else (predicted.p50_ms, predicted.p99_ms)
    not_predicted = [each.why for each in (p50, p99) if isinstance(each, NotPredicted)]
    return Cost(
        arch=arch,
        gateways=workload.gateways,
        cores=sized.cores.interval,
        p_cheapest=p_cheapest,
        cores_of={name: each.interval for name, each in sized.cores_of.items()},
        memory_bytes=memory.interval,
        to_members_bytes_per_s=to_members_bytes_per_s(arch, workload, model).interval,
        backend_bytes_per_s=backend_bytes_per_s(arch, workload, model).interval,
        disk_bytes_per_day=scaled(records_bytes_per_s(arch, workload, model), 86_400).interval,
        p50_ms=None if isinstance(p50, NotPredicted) else p50,
        p99_ms=None if isinstance(p99, NotPredicted) else p99,
        latency_not_predicted=not_predicted[0] if not_predicted else None,
        nearest=str(nearest["record"]),
        nearest_p50_ms=_or_none(nearest["latency_p50_ms"]),
        nearest_p99_ms=_or_none(nearest["latency_p99_ms"]),
    )


def _nearest(arch: str, workload: Workload, points: pd.DataFrame) -> pd.Series[Any]:
    """The measured run whose sizes are closest to those of the workload, by ratio."""
    own = points[points["arch"] == arch]
    usual = (own["tick_s"] == workload.tick_s) & (own["replicas"] == workload.replicas)
    own = own[usual] if usual.any() else own
    wanted = (workload.rooms, workload.members, workload.rate_per_s, workload.gateways)

    found = own[["rooms", "members", "publishes_per_s", "gateways"]].astype(float)
    distances = (np.log(found) - np.log(np.array(wanted))).abs().sum(axis=1)
    return own.iloc[int(distances.argmin())]


def _or_none(value: float) -> float | None:
    return None if pd.isna(value) else float(value)
