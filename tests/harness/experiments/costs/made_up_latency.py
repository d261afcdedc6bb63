"""Latencies from known terms, which a fit must find again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from harness.experiments.costs.latency_terms import as_measured, shared_terms
from harness.experiments.costs.model import workload_of
from harness.experiments.costs.sharing import frames_per_write
from harness.experiments.costs.tick_wait import waiting_ms
from harness.experiments.costs.workload import Transfers, uses_kafka, uses_redis
from harness.gateway.adaptive_tick import TICK_MIN_S

ARCHITECTURES = ("kafka-broadcast", "plan1", "plan2", "redis")
BASE_MS = {"kafka-broadcast": 1.9, "plan1": 1.8, "plan2": 1.7, "redis": 0.4}
# In ms: waking up the clients of Kafka, of Redis, a record, followers, waking them up, a member, 100 bytes, a member on
# a gateway, a shared core.
SHARED_MS = (1.5, 0.9, 0.12, 0.8, 0.6, 0.004, 0.0003, 0.0005, 0.5)
TAIL_MS = 1.0  # the 99th percentile is this much more than twice the median without the tick


class Shape(NamedTuple):
    gateways: int
    rooms: int
    members_per_room: int
    rate_per_s: float
    payload_bytes: int = 100
    tick_s: float = TICK_MIN_S
    replicas: int = 1


SHAPES = (
    Shape(2, 1, 100, 20),
    Shape(2, 1, 100, 200),
    Shape(2, 1, 1000, 10),
    Shape(2, 1, 1000, 30),
    Shape(4, 1, 400, 60),
    Shape(1, 20, 10, 200),
    Shape(2, 40, 5, 100),
    Shape(2, 40, 5, 400),
    Shape(4, 40, 5, 100),
    Shape(4, 10, 50, 100, 1000),
    Shape(8, 40, 5, 50),
    Shape(2, 1, 10, 500),
    Shape(3, 30, 20, 60),
    Shape(2, 1, 500, 20, 800),
    Shape(2, 1, 10, 60, tick_s=0.01),
    Shape(2, 1, 100, 20, replicas=3),
    Shape(2, 40, 5, 100, replicas=3),
)


def point(arch: str, shape: Shape, noise: float = 0.0, independent_messages: int = 100) -> dict[str, object]:
    """What a run of that shape measures in that world, the latencies off by the share `noise`."""
    gateways, rooms, per_room, rate_per_s, payload_bytes, tick_s, replicas = shape
    deliveries_per_s = rate_per_s * per_room
    run = {
        "arch": arch,
        "gateways": gateways,
        "rooms": rooms,
        "members": rooms * per_room,
        "publishes_per_s": float(rate_per_s),
        "payload_bytes": payload_bytes,
        "tick_s": tick_s,
        "replicas": replicas,
    }
    workload = workload_of(pd.Series(run))
    done = Transfers.of(arch, gateways, workload.spread)
    writes_per_s = deliveries_per_s / float(frames_per_write(rate_per_s / rooms, tick_s, 0.0))
    copies_per_s = rate_per_s * done.copies
    gateway_cores = 0.004 * gateways + 1e-4 * rate_per_s + 5e-5 * copies_per_s + 4e-6 * writes_per_s
    driver_us = 6.0
    redis_cores = 0.002 + 2e-5 * rate_per_s + 1e-5 * copies_per_s if uses_redis(arch) else float("nan")
    kafka_cores = replicas * (0.03 + 2e-4 * rate_per_s * done.records) if uses_kafka(arch) else float("nan")
    cores = gateway_cores + np.nansum([redis_cores, kafka_cores]) + driver_us * deliveries_per_s / 1e6
    terms = shared_terms(arch, as_measured(workload, cores / 2)).values()
    without_tick_ms = BASE_MS[arch] + float(np.dot(SHARED_MS, list(terms)))
    room_rate_per_s = rate_per_s / rooms
    of_tick_ms = [waiting_ms(room_rate_per_s, tick_s, quantile) for quantile in (0.5, 0.99)]
    return {
        **run,
        "deliveries_per_s": deliveries_per_s,
        "driver_valid": True,
        "independent_messages": independent_messages,
        "slowness_ms": float("nan"),
        "latency_from_sending_p50_ms": (1 + noise) * (without_tick_ms + of_tick_ms[0]),
        "latency_from_sending_p99_ms": (1 + noise) * (2 * without_tick_ms + TAIL_MS + of_tick_ms[1]),
        "cpu_driver_us_per_delivery": driver_us,
        "cores_gateway": gateway_cores,
        "cores_kafka": kafka_cores,
        "cores_redis": redis_cores,
        "hottest_gateway_cores": gateway_cores if arch == "plan2" and rooms == 1 else gateway_cores / gateways,
    }


def points(
    shapes: Sequence[Shape] = SHAPES, noise: float = 0.0, seed: int = 7, independent_messages: int = 100
) -> pd.DataFrame:
    """Two runs of every architecture in every shape; `noise` is a standard deviation, as a share."""
    random = np.random.default_rng(seed)
    return pd.DataFrame(
        [
            point(arch, shape, float(random.normal(0, noise)), independent_messages)
            for shape in shapes
            for arch in ARCHITECTURES
            if shape.replicas == 1 or uses_kafka(arch)
            for _ in range(2)
        ]
    )
