"""Observations from known unit costs, which a fit must find again."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from harness.core.registry import candidates
from harness.experiments.costs.grid import FITTED, HELD_OUT, SHAPES, Shape
from harness.experiments.costs.model import workload_of
from harness.experiments.costs.workload import Transfers, activity, has_unit_costs, uses_kafka, uses_redis

# Microseconds of each, in that world.
GATEWAY, MESSAGE, COPY, WRITE = 10_000.0, 200.0, 100.0, 8.0
BROKER, REQUEST, FETCH = 40_000.0, 150.0, 80.0
SERVER, COMMAND, PUSH = 1_000.0, 20.0, 15.0
WRITE_S, REQUEST_S = 0.001, 0.0008


def point(arch: str, shape: Shape, noise: Iterator[float]) -> dict[str, object]:
    """What a run of that shape measures there, each figure off by the next share."""
    gateways, rooms, per_room, rate_per_s, payload_bytes = shape
    run = {
        "arch": arch,
        "gateways": gateways,
        "rooms": rooms,
        "members": rooms * per_room,
        "publishes_per_s": float(rate_per_s),
        "payload_bytes": payload_bytes,
    }

    workload = workload_of(pd.Series(run))
    frames_per_write = 1 + WRITE_S * rate_per_s / rooms
    records_per_s = rate_per_s * Transfers.of(arch, workload.gateways, workload.spread).records
    records_per_request = 1 + REQUEST_S * records_per_s / gateways
    done = activity(arch, workload, frames_per_write, records_per_request)
    of_messages = MESSAGE * done.messages + COPY * done.copies
    of_kafka = BROKER + REQUEST * done.requests + FETCH * done.fetches
    of_redis = SERVER + COMMAND * done.commands + PUSH * done.copies
    on_gateways = rooms * workload.spread
    return {
        **run,
        "record": f"a run of {arch}",
        "latency_p50_ms": 3.0,
        "latency_p99_ms": float("nan") if arch == "plan1" else 9.0,
        "frames_per_write": frames_per_write,
        "records_per_request": records_per_request if uses_kafka(arch) else np.nan,
        "room_rate_per_s": rate_per_s / rooms,
        "producer_records_per_s": records_per_s / gateways if uses_kafka(arch) else np.nan,
        "gateway_us_per_s": (1 + next(noise)) * (GATEWAY * gateways + WRITE * done.writes + of_messages),
        "kafka_us_per_s": (1 + next(noise)) * of_kafka if uses_kafka(arch) else np.nan,
        "redis_us_per_s": (1 + next(noise)) * of_redis if uses_redis(arch) else np.nan,
        "gateway_bytes": (1 + next(noise))
        * (40e6 * gateways + 15e3 * workload.members + 4e3 * rooms * workload.spread),
        "kafka_bytes": (1 + next(noise)) * 500e6 if uses_kafka(arch) else np.nan,
        "redis_bytes": (1 + next(noise)) * (7e6 + 600 * on_gateways) if uses_redis(arch) else np.nan,
        "member_overhead_bytes_per_s": 100 * done.deliveries,
        "record_overhead_bytes_per_s": 120 * done.records + 50 * done.requests if uses_kafka(arch) else np.nan,
        "command_overhead_bytes_per_s": 160 * done.commands if uses_redis(arch) else np.nan,
        "copy_overhead_bytes_per_s": 8 * done.commands + 160 * done.copies if uses_redis(arch) else np.nan,
    }


def points(kind: str, noise: float = 0.0) -> pd.DataFrame:
    """Of every architecture in every shape; `noise` is the standard deviation of what is measured, as a share."""
    shares = iter(np.random.default_rng(7).normal(0, noise, 10_000).tolist())
    return pd.DataFrame(
        [point(arch, shape, shares) for shape in SHAPES[kind] for arch in candidates() if has_unit_costs(arch)]
    )


FITTED_POINTS, HELD_OUT_POINTS = points(FITTED, 0.05), points(HELD_OUT, 0.05)
EXACT_POINTS = points(FITTED)
