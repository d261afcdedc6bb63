"""Observations from known unit costs, which a fit must find again."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from harness.core.registry import candidates
from harness.experiments.costs.grid import FITTED, INSIDE, SHAPES, Shape
from harness.experiments.costs.model import workload_of
from harness.experiments.costs.sharing import frames_per_write
from harness.experiments.costs.workload import (
    activity,
    has_unit_costs,
    records_of_a_producer_per_s,
    uses_kafka,
    uses_redis,
)
from harness.gateway.adaptive_tick import TICK_MIN_S

# Microseconds of each, in that world.
GATEWAY, MESSAGE, COPY, WRITE, DELIVERY = 10_000.0, 200.0, 100.0, 8.0, 0.5
BROKER, REQUEST, FETCH, REPLICATED = 40_000.0, 150.0, 80.0, 60.0
SERVER, COMMAND, PUSH = 1_000.0, 20.0, 15.0
WAIT_S, REQUEST_S = 0.001, 0.0008
ELASTICITY = 0.8
SLOWNESS_MS = 0.08
SLOWER = (0.8, 1.0, 1.25)  # than the usual, in the first, second and third run of a turn


def turn(arch: str, shape: Shape, noise: Iterator[float]) -> Iterator[dict[str, object]]:
    """What the runs of that shape measure there, each figure off by the next share."""
    for rate_per_s, slower in zip(shape.rates_per_s, SLOWER, strict=False):
        yield _point(arch, shape, rate_per_s, slower * SLOWNESS_MS, noise)


def _point(arch: str, shape: Shape, rate_per_s: float, slowness_ms: float, noise: Iterator[float]) -> dict[str, object]:
    gateways, rooms = shape.gateways, shape.rooms
    run = {
        "arch": arch,
        "gateways": gateways,
        "rooms": rooms,
        "members": rooms * shape.members_per_room,
        "publishes_per_s": float(rate_per_s),
        "payload_bytes": shape.payload_bytes,
        "tick_s": shape.tick_s or TICK_MIN_S,
        "replicas": shape.brokers,
    }
    workload = workload_of(pd.Series(run))
    shared = float(frames_per_write(workload.room_rate_per_s, workload.tick_s, WAIT_S))
    records_per_s = records_of_a_producer_per_s(arch, workload)
    records_per_request = 1 + REQUEST_S * records_per_s
    done = activity(arch, workload, shared, records_per_request)
    of_messages = MESSAGE * done.messages + COPY * done.copies
    of_replicas = REPLICATED * done.records * (shape.brokers - 1)
    of_kafka = BROKER * shape.brokers + REQUEST * done.requests + FETCH * done.fetches + of_replicas
    of_redis = SERVER + COMMAND * done.commands + PUSH * done.copies
    of_gateways = GATEWAY * gateways + WRITE * done.writes + DELIVERY * done.deliveries + of_messages
    on_gateways = rooms * workload.spread
    kafka, redis = uses_kafka(arch), uses_redis(arch)
    slower = (slowness_ms / SLOWNESS_MS) ** ELASTICITY

    def measured(value: float, *, there: bool = True) -> float:
        return value * (1 + next(noise)) if there else np.nan

    return {
        **run,
        "record": f"a run of {arch}",
        "latency_p50_ms": 3.0,
        "latency_p99_ms": float("nan") if arch == "plan1" else 9.0,
        "slowness_ms": slowness_ms,
        "idle_slowness_ms": SLOWNESS_MS,
        "frames_per_write": shared,
        "records_per_request": records_per_request if kafka else np.nan,
        "room_rate_per_s": workload.room_rate_per_s,
        "producer_records_per_s": records_per_s,
        "gateway_us_per_s": measured(slower * of_gateways),
        "kafka_us_per_s": measured(slower * of_kafka, there=kafka),
        "redis_us_per_s": measured(slower * of_redis, there=redis),
        "idle_gateway_us_per_s": GATEWAY * gateways,
        "idle_kafka_us_per_s": BROKER * shape.brokers if kafka else np.nan,
        "idle_redis_us_per_s": SERVER if redis else np.nan,
        "gateway_bytes": measured(40e6 * gateways + 15e3 * workload.members + 4e3 * on_gateways),
        "kafka_bytes": measured(500e6 * shape.brokers, there=kafka),
        "redis_bytes": measured(7e6 + 600 * on_gateways, there=redis),
        "member_overhead_bytes_per_s": 100 * done.deliveries,
        "record_overhead_bytes_per_s": 120 * done.records + 50 * done.requests if kafka else np.nan,
        "command_overhead_bytes_per_s": 160 * done.commands if redis else np.nan,
        "copy_overhead_bytes_per_s": 8 * done.commands + 160 * done.copies if redis else np.nan,
    }


def points(kind: str, noise: float = 0.0) -> pd.DataFrame:
    """Of every architecture in every shape; `noise` is the standard deviation of what is measured, as a share."""
    shares = iter(np.random.default_rng(7).normal(0, noise, 10_000).tolist())
    return pd.DataFrame(
        [
            point
            for shape in SHAPES[kind]
            for arch in candidates()
            if has_unit_costs(arch) and (shape.brokers == 1 or uses_kafka(arch))
            for point in turn(arch, shape, shares)
        ]
    )


FITTED_POINTS, HELD_OUT_POINTS = points(FITTED, 0.05), points(INSIDE, 0.05)
EXACT_POINTS = points(FITTED)
