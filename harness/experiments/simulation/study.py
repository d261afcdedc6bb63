"""Simulate a fleet over time: some seconds at a steady rate, or a short window at each moment of a day."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np

from harness.core.errors import UsageError
from harness.experiments.costs.model import Model
from harness.experiments.simulation.base_latency import base_latency
from harness.experiments.simulation.day import Moment
from harness.experiments.simulation.path import path_of
from harness.experiments.simulation.plan import Fleet, FleetPlan, fleet_of, workload_at
from harness.experiments.simulation.service_times import ServiceTimes, service_times
from harness.experiments.simulation.window import Interval, Window

STEADY_S = 10.0
STEADY_SLICES = 10
SETTLING = 0.25  # the share of a window, before its first slice, in which queues and ticks settle
SENT_MIN, SENT_MAX = 2_000, 20_000  # messages in a window; a day's windows are a quarter as long
DAY_SHARE = 0.25
WINDOW_MAX_S = 600.0
DAY_S = 86_400
FULL = 0.95  # of the time of the busiest server of a component, above which it cannot keep up

COMPONENTS = {
    "gateway": "gateways",
    "partition": "partitions",
    "broker": "brokers",
    "relay": "relays",
    "redis": "Redis shards",
}


class ServerLoad(msgspec.Struct, frozen=True, kw_only=True):
    """What the servers of one component do in a slice of time."""

    cores: float  # CPU of all of them, with what they use when idle; 0 where it is part of another component's
    busiest: float  # the share of the time that the busiest server is, or would have to be, busy; above 1 it queues
    wait_ms: float  # the mean time a job waits for its server
    over: bool  # the busiest server cannot keep up


class TimeSlice(msgspec.Struct, frozen=True, kw_only=True):
    """A slice of time; `at_s` counts from the start, or from midnight."""

    at_s: float
    rate_per_s: float
    window_s: float  # simulated for it
    messages_per_write: float
    components: dict[str, ServerLoad]
    latency_p50_ms: float | None  # None: a component is over its limit, so that it has no steady value
    latency_p99_ms: float | None


class Simulated(msgspec.Struct, frozen=True, kw_only=True):
    """The fleet of one architecture over time."""

    arch: str
    servers: dict[str, int]  # by component
    slices: list[TimeSlice]
    over: list[str]  # a sentence for each component that is over its limit


class Simulation(msgspec.Struct, frozen=True, kw_only=True):
    """The answer of `chatbench simulate`."""

    plan: FleetPlan
    day: bool  # the slices are moments of a day; otherwise they follow each other
    fleets: list[Simulated]


def simulate(plan: FleetPlan, architectures: Sequence[str], model: Model, curve: Sequence[Moment]) -> Simulation:
    """Simulate each architecture; an empty curve: a steady rate. Raises UsageError."""
    unknown = [arch for arch in architectures if arch not in model.architectures]
    if unknown:
        raise UsageError(f"the cost model does not cover {unknown[0]!r}; use {', '.join(model.architectures)}")
    fleets = [_simulated(plan, arch, model, curve) for arch in architectures]
    return Simulation(plan=plan, day=bool(curve), fleets=fleets)


def _simulated(plan: FleetPlan, arch: str, model: Model, curve: Sequence[Moment]) -> Simulated:
    fleet = fleet_of(model, arch, plan, max((moment.factor for moment in curve), default=1.0))
    if curve:
        slices = [
            each
            for number, moment in enumerate(curve)
            for each in _slices(plan, fleet, model, moment, seed=plan.seed + number, count=1)
        ]
    else:
        slices = _slices(plan, fleet, model, Moment(0.0, 1.0), seed=plan.seed, count=STEADY_SLICES)
    counts = {
        "gateway": fleet.gateways,
        "partition": fleet.partitions,
        "broker": fleet.brokers,
        "relay": fleet.partitions,
        "redis": fleet.shards,
    }
    servers = {name: counts[name] for name in slices[0].components}
    return Simulated(arch=arch, servers=servers, slices=slices, over=_over(slices, bool(curve)))


def _slices(plan: FleetPlan, fleet: Fleet, model: Model, moment: Moment, *, seed: int, count: int) -> list[TimeSlice]:
    """One window at the rate of this moment, in so many slices of equal length."""
    rate_per_s = moment.factor * plan.rate_per_s
    times = service_times(model, fleet.arch, workload_at(plan, fleet, moment.factor))
    window = Window(fleet, path_of(fleet.arch), times, base_latency(model, fleet.arch), seed=seed)
    share = 1.0 if count > 1 else DAY_SHARE
    window_s = share * min(max(STEADY_S, SENT_MIN / rate_per_s), SENT_MAX / rate_per_s, WINDOW_MAX_S)
    each_s = window_s / count
    _, *counted = window.run(rate_per_s, [SETTLING * window_s + number * each_s for number in range(count + 1)])
    slices = []
    for number, interval in enumerate(counted):
        loads = _loads(window, fleet, times, interval, each_s)
        steady = len(interval.latencies_ms) > 0 and not any(load.over for load in loads.values())
        p50_ms, p99_ms = map(float, np.percentile(interval.latencies_ms, [50, 99])) if steady else (None, None)
        slices.append(
            TimeSlice(
                at_s=3600 * moment.hour + number * each_s,
                rate_per_s=rate_per_s,
                window_s=each_s,
                messages_per_write=interval.deliveries / interval.writes if interval.writes else 1.0,
                components=loads,
                latency_p50_ms=p50_ms,
                latency_p99_ms=p99_ms,
            )
        )
    return slices


def _loads(
    window: Window, fleet: Fleet, times: ServiceTimes, counted: Interval, seconds: float
) -> dict[str, ServerLoad]:
    idle_cores = {  # of each server
        "gateway": times.idle_gateway_cores,
        "broker": times.idle_kafka_cores / fleet.brokers,
        "redis": times.idle_redis_cores / fleet.shards,
    }
    loads = {}
    for name, servers in window.servers.items():
        cores = counted.used_s[name] / seconds + idle_cores.get(name, 0.0)
        offered = counted.offered_s[name] / seconds + idle_cores.get(name, 0.0)
        busiest = max(float(cores.max()), float(offered.max())) / servers.cores
        loads[name] = ServerLoad(
            cores=float(cores.sum()) if name in idle_cores else 0.0,
            busiest=busiest,
            wait_ms=counted.waited_ms[name],
            over=busiest > FULL,
        )
    return loads


def _over(slices: Sequence[TimeSlice], day: bool) -> list[str]:
    found = []
    for name in slices[0].components:
        bad = [each for each in slices if each.components[name].over]
        if bad:
            worst = worst_of(bad, name)
            when = f" at {clock(worst.at_s)}" if day else ""
            found.append(
                f"The busiest of the {COMPONENTS[name]} would be busy for {worst.components[name].busiest:.0%} of the "
                f"time{when}; above {FULL:.0%} it does not keep up, in {len(bad)} of {len(slices)} slices."
            )
    return found


def worst_of(slices: Sequence[TimeSlice], component: str) -> TimeSlice:
    """The slice in which the busiest server of this component is the busiest."""
    return max(slices, key=lambda each: each.components[component].busiest)


def mean_cores(fleet: Simulated, component: str, day: bool) -> float:
    """The mean over time; in a day, each slice stands for the time up to half-way to its neighbours."""
    cores = [each.components[component].cores for each in fleet.slices]
    if not day:
        return float(np.mean(cores))
    at_s = np.array([each.at_s for each in fleet.slices])
    before, after = np.append(at_s[-1] - DAY_S, at_s[:-1]), np.append(at_s[1:], at_s[0] + DAY_S)
    return float(np.average(cores, weights=after - before))


def clock(at_s: float) -> str:
    """The time of the day."""
    minutes = round(at_s / 60)
    return f"{minutes // 60:02d}:{minutes % 60:02d}"
