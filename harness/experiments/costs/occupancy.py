"""How full the measuring machine and the busiest single threads are under a workload.

A gateway runs in one thread, and so does Redis. The model of latency needs what their queues depend on: how much of
the time they are busy. It is predicted from the workload alone, by sums of what happens per second.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.optimize import nnls

from harness.core.registry import load_candidate
from harness.experiments.costs.fit import Floats
from harness.experiments.costs.model import workload_of
from harness.experiments.costs.sharing import frames_per_write
from harness.experiments.costs.workload import Transfers, Workload, uses_kafka, uses_redis


@dataclass(frozen=True, slots=True)
class Cores:
    """Cores in use, as a sum of amounts per second times fitted coefficients of at least zero."""

    architectures: Sequence[str]
    coefficients: Mapping[str, Floats]  # by what is predicted: MACHINE, GATEWAY or REDIS

    def of_machine(self, arch: str, workload: Workload) -> float:
        """All processes of a run together, the driver's among them."""
        return self._predict(MACHINE, _of_machine(arch, workload, self.architectures))

    def of_busiest_gateway(self, arch: str, workload: Workload) -> float:
        return self._predict(GATEWAY, _of_gateway(arch, workload, self.architectures))

    def of_redis(self, arch: str, workload: Workload) -> float:
        """One Redis server for all rooms; 0 without Redis."""
        return self._predict(REDIS, _of_redis(arch, workload)) if uses_redis(arch) else 0.0

    def _predict(self, what: str, amounts: Sequence[float]) -> float:
        return float(self.coefficients[what] @ np.array(amounts)) if what in self.coefficients else 0.0


MACHINE, GATEWAY, REDIS = "machine", "gateway", "redis"


def machine_cores_used(points: pd.DataFrame) -> pd.Series[float]:
    """The cores that all processes of each run used, the driver's among them. NaN: not measured."""
    driver = points["cpu_driver_us_per_delivery"] * points["deliveries_per_s"] / 1e6
    services = points[["cores_gateway", "cores_kafka", "cores_redis"]].sum(axis=1)
    return services + driver


def fit_cores(points: pd.DataFrame) -> Cores:
    """Fit to the points of harness.experiments.costs.observations, by relative errors."""
    names = sorted(points["arch"].unique())
    workloads = [(str(run["arch"]), workload_of(run)) for _, run in points.iterrows()]
    amounts = {
        MACHINE: [_of_machine(arch, workload, names) for arch, workload in workloads],
        GATEWAY: [_of_gateway(arch, workload, names) for arch, workload in workloads],
        REDIS: [_of_redis(arch, workload) for arch, workload in workloads],
    }
    measured = {
        MACHINE: machine_cores_used(points),
        GATEWAY: points["hottest_gateway_cores"],
        REDIS: points["cores_redis"],
    }
    coefficients = {what: _fitted(np.array(amounts[what]), measured[what].to_numpy(dtype=float)) for what in amounts}
    return Cores(names, {what: found for what, found in coefficients.items() if found is not None})


def busiest_share(arch: str, workload: Workload) -> float:
    """The share of all members and messages on the busiest gateway, if rooms or members are spread evenly."""
    if not load_candidate(arch).rooms_have_owners:
        return 1 / workload.gateways
    return math.ceil(workload.rooms / workload.gateways) / workload.rooms


def members_on_gateway(arch: str, workload: Workload) -> float:
    """The members of one room that one gateway writes to."""
    owned = load_candidate(arch).rooms_have_owners
    return max(1.0, workload.members_per_room / (1.0 if owned else max(1.0, workload.spread)))


def _of_machine(arch: str, workload: Workload, names: Sequence[str]) -> list[float]:
    done = Transfers.of(arch, workload.gateways, workload.spread)
    deliveries_per_s = workload.rate_per_s * workload.members_per_room
    return [
        *_own(arch, names, 1.0, workload.gateways, workload.rate_per_s),
        (workload.replicas - 1) * uses_kafka(arch),
        workload.rate_per_s * done.copies,
        workload.rate_per_s * done.records,
        workload.rate_per_s * done.records * (workload.replicas - 1),
        deliveries_per_s / _messages_per_write(workload),
        deliveries_per_s,
        deliveries_per_s * workload.payload_bytes,
    ]


def _of_gateway(arch: str, workload: Workload, names: Sequence[str]) -> list[float]:
    share = busiest_share(arch, workload)
    done = Transfers.of(arch, workload.gateways, workload.spread)
    copies = share if load_candidate(arch).rooms_have_owners else done.copies / workload.gateways
    deliveries_per_s = workload.rate_per_s * workload.members_per_room * share
    return [
        *_own(arch, names, 1.0, workload.rate_per_s * share),
        math.sqrt(workload.rate_per_s * share),  # wake-ups are shared at high rates
        workload.rate_per_s * copies,
        deliveries_per_s / _messages_per_write(workload),
        deliveries_per_s,
        deliveries_per_s * workload.payload_bytes,
    ]


def _of_redis(arch: str, workload: Workload) -> list[float]:
    done = Transfers.of(arch, workload.gateways, workload.spread)
    return [1.0, workload.rate_per_s * done.commands, workload.rate_per_s * done.copies * (done.commands > 0)]


def _messages_per_write(workload: Workload) -> float:
    return float(frames_per_write(workload.room_rate_per_s, workload.tick_s, wait_s=0.0))


def _own(arch: str, names: Sequence[str], *amounts: float) -> list[float]:
    return [amount * (name == arch) for name in names for amount in amounts]


def _fitted(amounts: Floats, cores: Floats) -> Floats | None:
    known = np.isfinite(cores) & (cores > 0)
    if not known.any():
        return None
    found: Floats = nnls(amounts[known] / cores[known, None], np.ones(int(known.sum())))[0]
    return found
