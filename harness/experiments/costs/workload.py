"""What a workload makes every part of an architecture do in a second. Counted from the topology, not measured."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Workload:
    """A chat of equal rooms on some gateways. `spread`: on how many of them a room's members are, on average."""

    rooms: int
    members_per_room: float
    rate_per_s: float  # messages of all rooms together
    payload_bytes: int
    gateways: int
    spread: float

    @property
    def members(self) -> float:
        return self.rooms * self.members_per_room

    @property
    def room_rate_per_s(self) -> float:
        return self.rate_per_s / self.rooms


def random_spread(members_per_room: float, gateways: int) -> float:
    """On how many gateways a room's members are, if each is on any gateway: occupied bins of balls thrown at random."""
    return gateways * (1 - float((1 - 1 / gateways) ** members_per_room))


@dataclass(frozen=True, slots=True)
class Way:
    """How many times a message is written and read on its way, with G gateways and the room's members on S of them."""

    records: Callable[[Workload], float]  # appended to Kafka
    fetches: Callable[[Workload], float]  # records that gateways read from Kafka
    commands: Callable[[Workload], float]  # published to Redis
    copies: Callable[[Workload], float]  # that reach a gateway to be delivered there, wanted or not
    uses_kafka: bool
    uses_redis: bool


def _none(_workload: Workload) -> float:
    return 0.0


def _one(_workload: Workload) -> float:
    return 1.0


def _gateways(workload: Workload) -> float:
    return float(workload.gateways)


def _spread(workload: Workload) -> float:
    return workload.spread


WAYS = {
    "plan1": Way(
        records=_gateways, fetches=_gateways, commands=_none, copies=_gateways, uses_kafka=True, uses_redis=False
    ),
    "plan2": Way(records=_one, fetches=_one, commands=_none, copies=_one, uses_kafka=True, uses_redis=False),
    "kafka-broadcast": Way(
        records=_one, fetches=_gateways, commands=_none, copies=_gateways, uses_kafka=True, uses_redis=False
    ),
    "redis": Way(records=_none, fetches=_none, commands=_one, copies=_spread, uses_kafka=False, uses_redis=True),
    "kafka-redis": Way(records=_one, fetches=_one, commands=_one, copies=_spread, uses_kafka=True, uses_redis=True),
}


@dataclass(frozen=True, slots=True)
class Activity:
    """What happens in a second."""

    messages: float
    deliveries: float
    writes: float  # to members: each carries some of a room's messages
    copies: float
    records: float
    requests: float  # produce requests: each carries some records
    fetches: float
    commands: float


def activity(arch: str, workload: Workload, frames_per_write: float, records_per_request: float) -> Activity:
    """The last two are how well messages that come close together share a write, and records a request."""
    way, rate_per_s = WAYS[arch], workload.rate_per_s
    deliveries = rate_per_s * workload.members_per_room
    records = rate_per_s * way.records(workload)
    return Activity(
        messages=rate_per_s,
        deliveries=deliveries,
        writes=deliveries / frames_per_write,
        copies=rate_per_s * way.copies(workload),
        records=records,
        requests=records / records_per_request,
        fetches=rate_per_s * way.fetches(workload),
        commands=rate_per_s * way.commands(workload),
    )
