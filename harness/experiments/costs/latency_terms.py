"""The terms of the model of latency: what adds to the time from sending a message until a member has heard it.

On the measuring machine, the gateways, the brokers and the driver share a few cores, and one process of the driver
reads for all members. There the time grows with all members of the room. Elsewhere each gateway has a core and each
member reads for itself, so that a message only waits while its gateway writes to the members before. Both take about
the same CPU time for a delivery (gateway 4-8 us, driver 5-7 us in rooms of 300 to 3,000 members), so that one
coefficient serves for both: two gateways and a reader on two cores are as fast as one writer and one reader on two.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from harness.experiments.costs.fit import Floats
from harness.experiments.costs.occupancy import members_on_gateway
from harness.experiments.costs.workload import Transfers, Workload, uses_kafka, uses_redis

# A gateway that seldom takes a message from a member does so with cold caches, on a core that sleeps deeply. At these
# rates of messages a gateway, half of that is left; a busy gateway writes to a member in WARM of the time. Chosen by
# leaving out each shape of the reference once, where neighbouring values did about as well.
WAKING_PER_S = 10.0
WRITING_PER_S = 20.0
WARM = 0.35

Group = Literal["base", "members", "sharing"]


@dataclass(frozen=True, slots=True)
class Circumstances:
    """A workload where it runs: the members of a room that one message has to wait for, and how full the cores are."""

    workload: Workload
    members_before: float
    machine_share: float  # of the cores of a machine that everything shares; 0: each process has cores of its own


def as_measured(workload: Workload, machine_share: float) -> Circumstances:
    """On a machine that the driver and all services share, where one process reads for all members."""
    return Circumstances(workload, max(1.0, workload.members_per_room), machine_share)


def by_itself(arch: str, workload: Workload) -> Circumstances:
    """Each gateway has a core of its own, and members read for themselves."""
    return Circumstances(workload, members_on_gateway(arch, workload), 0.0)


def shared_terms(arch: str, at: Circumstances) -> dict[tuple[Group, str], float]:
    """The amounts of the terms with one coefficient for all architectures, because the same code does the work."""
    workload = at.workload
    gateway_rate_per_s = workload.rate_per_s / workload.gateways
    seldom_woken = 1 / (1 + gateway_rate_per_s / WAKING_PER_S)
    slower_writing = WARM + (1 - WARM) / (1 + gateway_rate_per_s / WRITING_PER_S)
    records = Transfers.of(arch, workload.gateways, workload.spread).records
    is_replicated = uses_kafka(arch) and workload.replicas > 1  # an ack waits for the followers, which fetch at once
    return {
        ("base", "waking up Kafka's clients"): seldom_woken * uses_kafka(arch),
        ("base", "waking up Redis's clients"): seldom_woken * uses_redis(arch),
        ("base", "further record of the message"): max(0.0, records - 1),
        ("base", "followers"): float(is_replicated),
        ("base", "waking up followers"): seldom_woken * is_replicated,
        ("members", "member"): at.members_before * slower_writing,
        ("members", "member, for each 100 bytes"): at.members_before * workload.payload_bytes / 100,
        ("members", "member on the same gateway"): members_on_gateway(arch, workload),
        ("sharing", "waiting for a core"): at.machine_share / (1 - at.machine_share),
    }


@dataclass(frozen=True, slots=True)
class Terms:
    """The names of all terms, and the group that each belongs to."""

    architectures: Sequence[str]
    names: Sequence[str]
    groups: Sequence[Group]

    def amounts(self, arch: str, at: Circumstances) -> Floats:
        own = [float(name == arch) for name in self.architectures]
        return np.array([*own, *shared_terms(arch, at).values()])

    def in_group(self, group: Group) -> Floats:
        """1 for each term of the group, else 0."""
        return np.array([float(each == group) for each in self.groups])


def terms_of(architectures: Sequence[str]) -> Terms:
    """The terms for these architectures. Each has a base of its own: the hops of a message on an idle system."""
    example = Workload(rooms=1, members_per_room=2, rate_per_s=1, payload_bytes=100, gateways=1, spread=1)
    shared: Mapping[tuple[Group, str], float] = shared_terms(architectures[0], as_measured(example, 0.0))
    own: list[Group] = ["base"] * len(architectures)
    return Terms(
        architectures=architectures,
        names=[*(f"base ({arch})" for arch in architectures), *(name for _, name in shared)],
        groups=[*own, *(group for group, _ in shared)],
    )
