"""The fleet to simulate and its chat: what the user asks for, and the sizes that follow from it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import msgspec

from architectures.interface import BadTopology, Topology
from harness.core.errors import UsageError
from harness.core.payload import SIZE_MAX_BYTES
from harness.core.registry import load_candidate
from harness.core.settings import SEED_MAX, in_range
from harness.core.units import size_text
from harness.experiments.costs.advice import DURABLE_REPLICAS
from harness.experiments.costs.gateway_size import MEMBERS_PER_GATEWAY_MAX
from harness.experiments.costs.model import Model
from harness.experiments.costs.sizing import GATEWAYS_MIN, ChatSize, sized
from harness.experiments.costs.workload import Workload

MEMBERS_MAX = 1e8
ROOMS_MAX = 1e7
RATE_MAX_PER_S = 1e6
GATEWAYS_MAX = 50_000
BROKERS_MAX = 1_000
PARTITIONS_MAX = 100_000


class FleetPlan(msgspec.Struct, frozen=True, kw_only=True):
    """The chat and the fleet to simulate. None: as `chatbench advise` sizes it, or as many as there are gateways."""

    rooms: int
    members_per_room: float
    rate_per_s: float  # messages of all rooms together; the mean over the day if there is a curve
    payload_bytes: int = 100
    gateways: int | None = None
    brokers: int = 3
    broker_cores: int = 4
    replicas: int = 1  # brokers that keep each record
    partitions: int | None = None
    shards: int = 1  # Redis servers that share the rooms
    hot_room: float | None = None  # the hottest room's share of all members and of all messages
    seed: int = 1


@dataclass(frozen=True, slots=True)
class Fleet:
    """The servers of one architecture, and the rooms that they serve."""

    arch: str
    rooms: int
    members: float  # of all rooms together
    hot_share: float  # of the members and of the messages that belong to room 0
    gateways: int
    brokers: int
    broker_cores: int
    partitions: int
    shards: int
    replicas: int = 1
    in_turn: bool = False  # a room's members connect to gateways in turn, as in chatbench's runs, and not at random

    def members_of(self, room: int) -> float:
        if room == 0:
            return self.members * self.hot_share
        return self.members * (1 - self.hot_share) / (self.rooms - 1)


def checked(plan: FleetPlan) -> FleetPlan:
    """The same plan; raises UsageError for the first value that is out of range."""
    in_range("--rooms", plan.rooms, 1, ROOMS_MAX)
    in_range("--members-per-room", plan.members_per_room, 2, MEMBERS_MAX)
    members = plan.rooms * plan.members_per_room
    if members > MEMBERS_MAX:
        raise UsageError(f"{members:,.0f} members are too many to simulate; use at most {MEMBERS_MAX:,.0f}")
    in_range("--rate", plan.rate_per_s, 0.001, RATE_MAX_PER_S)
    in_range("--payload", plan.payload_bytes, 1, SIZE_MAX_BYTES, size_text)
    in_range("--brokers", plan.brokers, 1, BROKERS_MAX)
    in_range("--broker-cores", plan.broker_cores, 1, BROKERS_MAX)
    if plan.replicas not in {1, DURABLE_REPLICAS}:
        raise UsageError(f"--replicas is {plan.replicas}, but it must be 1 or {DURABLE_REPLICAS}")
    if plan.replicas > plan.brokers:
        raise UsageError(f"--replicas {plan.replicas} needs as many brokers; use --brokers {plan.replicas} or more")
    in_range("--shards", plan.shards, 1, BROKERS_MAX)
    in_range("--seed", plan.seed, 0, SEED_MAX)
    if plan.gateways is not None:
        in_range("--gateways", plan.gateways, 1, GATEWAYS_MAX)
    if plan.partitions is not None:
        in_range("--partitions", plan.partitions, 1, PARTITIONS_MAX)
    if plan.hot_room is not None and not 0.99 / plan.rooms <= plan.hot_room <= (1 if plan.rooms == 1 else 0.999):
        raise UsageError(
            f"--hot-room {plan.hot_room:g} is not a possible share of the hottest of {plan.rooms:,} rooms; "
            f"use {1 / plan.rooms:.3g} to {1 if plan.rooms == 1 else 0.999}"
        )
    return plan


def chat_of(plan: FleetPlan, factor: float = 1.0) -> ChatSize:
    """The chat at `factor` times the planned rate."""
    return ChatSize(plan.rooms, plan.members_per_room, factor * plan.rate_per_s, plan.payload_bytes, plan.replicas)


def fleet_of(model: Model, arch: str, plan: FleetPlan, peak_factor: float) -> Fleet:
    """The fleet of this architecture, sized for the peak. Raises UsageError for a topology that it refuses."""
    gateways = plan.gateways or _gateways(model, arch, plan, peak_factor)
    partitions = plan.partitions or gateways
    try:
        load_candidate(arch).check(Topology("simulated", gateways, partitions=plan.partitions))
    except BadTopology as problem:
        raise UsageError(str(problem)) from problem
    return Fleet(
        arch=arch,
        rooms=plan.rooms,
        members=plan.rooms * plan.members_per_room,
        hot_share=plan.hot_room or 1 / plan.rooms,
        gateways=gateways,
        brokers=plan.brokers,
        broker_cores=plan.broker_cores,
        partitions=partitions,
        shards=plan.shards,
        replicas=plan.replicas,
    )


def workload_at(plan: FleetPlan, fleet: Fleet, factor: float) -> Workload:
    """The load on the fleet at `factor` times the planned rate, as the cost model describes it: with equal rooms."""
    return chat_of(plan, factor).on(fleet.gateways)


def _gateways(model: Model, arch: str, plan: FleetPlan, peak_factor: float) -> int:
    """As many as `chatbench advise` takes, or what the members need if it says that no number is enough."""
    workload = sized(model, arch, chat_of(plan, peak_factor)).workload
    if workload is not None:
        return min(workload.gateways, GATEWAYS_MAX)
    return max(GATEWAYS_MIN, math.ceil(plan.rooms * plan.members_per_room / MEMBERS_PER_GATEWAY_MAX))
