"""How long each server works on a message: the cost model's unit costs, taken apart by kind of work."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from harness.experiments.costs.components import GATEWAY_CPU, KAFKA_CPU, REDIS_CPU, Component
from harness.experiments.costs.model import Model
from harness.experiments.costs.workload import Activity, Workload
from harness.gateway.adaptive_tick import TICK_MIN_S

KINDS = ("messages", "deliveries", "writes", "copies", "records", "requests", "fetches", "commands")
HALVINGS = 50


@dataclass(frozen=True, slots=True)
class ServiceTimes:
    """CPU seconds of each piece of work, and what a component uses of a core without any work."""

    message_s: float  # at the gateways, for a message that a member sends, apart from its copies
    copy_s: float  # at a gateway, for each copy it gets
    write_s: float  # at a gateway, for each member written to
    delivery_s: float  # at a gateway, for each message in a write
    record_s: float  # at a broker, for each record appended
    fetch_s: float  # at a broker, for each record that a gateway or relay reads
    command_s: float  # at Redis, for each message published
    redis_copy_s: float  # at Redis, for each gateway it is sent to
    idle_gateway_cores: float  # of one gateway
    idle_kafka_cores: float  # of all brokers
    idle_redis_cores: float  # of all shards
    tick_s: float  # for which messages of a busy room wait for each other, while the gateway has time to spare


def service_times(model: Model, arch: str, workload: Workload, slowness_ms: float | None = None) -> ServiceTimes:
    """The service times under this workload, on a machine of that slowness; None: of the usual one.

    A cost that falls with the rate is taken at the rate of the workload.
    """
    done = model.sharing.activity(arch, workload)
    slowness = model.relative_slowness(slowness_ms)
    gateway, kafka, redis = (
        _times(slowness ** model.units[part.name].elasticity, _taken_apart(model, part, arch, workload, done))
        for part in (GATEWAY_CPU, KAFKA_CPU, REDIS_CPU)
    )
    appends = kafka["records"] * done.records + kafka["requests"] * done.requests
    return ServiceTimes(
        message_s=gateway["messages"],
        copy_s=gateway["copies"],
        write_s=gateway["writes"],
        delivery_s=gateway["deliveries"],
        record_s=appends / done.records if done.records else 0.0,
        fetch_s=kafka["fetches"],
        command_s=redis["commands"],
        redis_copy_s=redis["copies"],
        idle_gateway_cores=gateway["idle"] / workload.gateways,
        idle_kafka_cores=kafka["idle"],
        idle_redis_cores=redis["idle"],
        tick_s=effective_tick_s(done.deliveries / done.writes, workload.room_rate_per_s, workload.tick_s),
    )


def _times(factor: float, seconds: dict[str, float]) -> dict[str, float]:
    return {kind: factor * each for kind, each in seconds.items()}


def _taken_apart(model: Model, part: Component, arch: str, workload: Workload, done: Activity) -> dict[str, float]:
    """Seconds for one of each kind, and cores when `idle`; the sum over all kinds is what the model predicts."""
    if not part.uses(arch):
        return dict.fromkeys((*KINDS, "idle"), 0.0)
    users = [name for name in model.architectures if part.uses(name)]
    costs = np.array(model.units[part.name].costs)

    def cores(some: Activity) -> float:
        return float(costs @ np.array(part.amounts(arch, workload, some, users))) / 1e6

    whole = cores(done)
    found = {}
    for kind in KINDS:
        count = float(getattr(done, kind))
        found[kind] = (whole - cores(replace(done, **{kind: 0.0}))) / count if count else 0.0
    found["idle"] = cores(Activity(**dict.fromkeys(KINDS, 0.0)))
    return found


def effective_tick_s(frames_per_write: float, room_rate_per_s: float, tick_max_s: float = TICK_MIN_S) -> float:
    """The tick that gives so many messages per write, at most `tick_max_s`.

    A room that was quiet for a tick T is written to at once; otherwise messages wait for T. With messages at random
    times at rate r, a write then carries 1 + r T (1 - exp(-r T)) of them on average.
    """
    low, high = 0.0, tick_max_s
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        expected = room_rate_per_s * middle
        low, high = (middle, high) if 1 - expected * math.expm1(-expected) < frames_per_write else (low, middle)
    return high
