"""The latency of a message that waits for nobody: hops of the network, polls and wake-ups, as measured at low load."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from harness.core.errors import UsageError
from harness.experiments.costs.model import Model, workload_of
from harness.experiments.costs.workload import Workload
from harness.experiments.simulation.path import Path, path_of
from harness.experiments.simulation.service_times import ServiceTimes, service_times
from harness.gateway.adaptive_tick import TICK_MIN_S

ROOM_MAX = 50  # members, so that writing to all of them takes little of the latency
GATEWAYS_MAX = 4  # so that they do not crowd the machine
RATE_MAX_PER_S = 300
LEAST_MS = 0.1
Z99 = 2.3263  # of the standard normal distribution


@dataclass(frozen=True, slots=True)
class BaseLatency:
    """A lognormal distribution of milliseconds."""

    median_ms: float
    sigma: float  # of the logarithm


def base_latency(model: Model, arch: str) -> BaseLatency:
    """From the runs of this architecture with small rooms: the medians of p50 and p99, without the servers' own work.

    Raises UsageError if none of these runs has a latency.
    """
    points = model.points
    small = (points["members"] <= ROOM_MAX * points["rooms"]) & (points["gateways"] <= GATEWAYS_MAX)
    # Older points do not say so, and all of them have the shortest tick and one replica.
    usual = (points.get("tick_s", TICK_MIN_S) <= TICK_MIN_S) & (points.get("replicas", 1) == 1)
    slow = points["publishes_per_s"] <= RATE_MAX_PER_S
    own = points[(points["arch"] == arch) & small & slow & usual].dropna(subset=["latency_p50_ms", "latency_p99_ms"])
    if own.empty:
        raise UsageError(
            f"no run of {arch} with at most {ROOM_MAX} members a room and {RATE_MAX_PER_S} messages/s has a valid "
            "latency; name another folder with --costs"
        )
    path, found = path_of(arch), []
    for _, run in own.iterrows():
        workload = workload_of(run)
        work_ms = 1000 * work_on_the_way_s(service_times(model, arch, workload), path, workload)
        found.append([float(run["latency_p50_ms"]) - work_ms, float(run["latency_p99_ms"]) - work_ms])
    p50_ms, p99_ms = (max(LEAST_MS, float(each)) for each in np.median(found, axis=0))
    return BaseLatency(p50_ms, max(0.0, math.log(p99_ms / p50_ms)) / Z99)


def work_on_the_way_s(times: ServiceTimes, path: Path, workload: Workload) -> float:
    """The service times that add up until the median member of a room has a message, without any queue."""
    spread = 1.0 if path.owned else workload.spread
    readers = workload.gateways if path.read_everywhere else spread
    written = workload.members_per_room / spread / 2
    return (
        times.message_s
        + times.copy_s
        + (path.records + path.records_per_gateway) * times.record_s
        + times.fetch_s
        + path.commands * times.command_s
        + readers / 2 * times.redis_copy_s
        + written * (times.write_s + times.delivery_s)
    )
