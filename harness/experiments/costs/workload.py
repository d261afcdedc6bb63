"""What each part of the system does per second under a workload, counted from the architecture's route."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

from architectures.routes import Scene
from harness.core.registry import architecture_names, load_candidate
from harness.gateway.adaptive_tick import TICK_MIN_S


@dataclass(frozen=True, slots=True)
class Workload:
    """A chat of equal rooms. `spread` is the mean number of gateways that have members of a room."""

    rooms: int
    members_per_room: float
    rate_per_s: float  # messages of all rooms together
    payload_bytes: int
    gateways: int
    spread: float
    tick_s: float = TICK_MIN_S  # how long a message waits for others of a busy room; longer where a gateway is full
    replicas: int = 1  # of each record, on as many brokers

    @property
    def members(self) -> float:
        return self.rooms * self.members_per_room

    @property
    def room_rate_per_s(self) -> float:
        return self.rate_per_s / self.rooms


def random_spread(members_per_room: float, gateways: int) -> float:
    """The mean number of gateways with members of a room, if each member is on a random gateway.

    This is the expected number of occupied bins when balls are thrown at random.
    """
    return gateways * (1 - float((1 - 1 / gateways) ** members_per_room))


class Transfers(NamedTuple):
    """The mean number of transfers of each kind on a message's route."""

    records: float  # appended to Kafka
    fetches: float  # records that gateways read from Kafka
    commands: float  # published to Redis
    copies: float  # messages that reach a gateway, whether or not it has members of the room

    @classmethod
    def of(cls, arch: str, gateways: float, spread: float) -> Transfers:
        """The transfers with this number of gateways, of which `spread` have members of the room on average."""
        fixed, per_gateway, per_listening = _terms(arch)
        terms = zip(fixed, per_gateway, per_listening, strict=True)
        return cls(*(one + gateways * each + spread * listening for one, each, listening in terms))


@cache
def _terms(arch: str) -> tuple[Transfers, Transfers, Transfers]:
    """The fixed transfers of a message, those for each gateway, and those for each gateway with members of the room.

    Routes are linear in both numbers (a test checks this for each architecture), so three small routes determine all.
    """
    one, more, wider = _counted(arch, 2, 1), _counted(arch, 3, 1), _counted(arch, 3, 2)
    per_gateway = Transfers(*(b - a for a, b in zip(one, more, strict=True)))
    per_listening = Transfers(*(b - a for a, b in zip(more, wider, strict=True)))
    fixed = (a - 2 * b - c for a, b, c in zip(one, per_gateway, per_listening, strict=True))
    return Transfers(*fixed), per_gateway, per_listening


def _counted(arch: str, gateways: int, listening: int) -> Transfers:
    scene = Scene(gateways, partitions=gateways, room="room", sender=0, listening=range(listening))
    route = load_candidate(arch).route(scene)
    return Transfers(len(route.records), len(route.fetches), len(route.commands), len(route.copies))


def has_unit_costs(arch: str) -> bool:
    """Whether the model covers all backends of the architecture. It covers Kafka and Redis, and no others yet."""
    return (
        arch in architecture_names() and (requires := load_candidate(arch).requires).any_backend and not requires.nats
    )


def uses_kafka(arch: str) -> bool:
    return load_candidate(arch).requires.kafka


def uses_redis(arch: str) -> bool:
    return load_candidate(arch).requires.any_redis


def records_of_a_producer_per_s(arch: str, workload: Workload) -> float:
    """The records that one gateway appends to one partition per second; such records may share a request.

    There is one partition for each gateway. A message is written to the partition of its room, or to all of them.
    """
    if not workload.rate_per_s or not uses_kafka(arch):
        return 0.0
    records = Transfers.of(arch, workload.gateways, workload.spread).records
    producers = 1 if load_candidate(arch).rooms_have_owners else workload.gateways
    partitions = max(records, random_spread(workload.rooms, workload.gateways))
    return workload.rate_per_s * records / producers / partitions


def cold_per_s(things_per_s: float, places: float, warm_s: float) -> float:
    """How many things per second find their place cold, if what was done there stays in caches for about `warm_s`.

    These are nearly all while each place has one thing in a long time, and never more than 1 / warm_s at each place.
    """
    each_per_s = things_per_s / places
    return places * each_per_s / (1 + each_per_s * warm_s)


@dataclass(frozen=True, slots=True)
class Activity:
    """What happens per second."""

    messages: float
    deliveries: float
    writes: float  # to members; each carries one or more messages of a room
    copies: float
    records: float
    requests: float  # produce requests; each carries one or more records
    fetches: float
    commands: float


def activity(arch: str, workload: Workload, frames_per_write: float, records_per_request: float) -> Activity:
    """What happens per second, given how many messages share a write, and how many records share a request."""
    each, rate_per_s = Transfers.of(arch, workload.gateways, workload.spread), workload.rate_per_s
    deliveries = rate_per_s * workload.members_per_room
    records = rate_per_s * each.records
    return Activity(
        messages=rate_per_s,
        deliveries=deliveries,
        writes=deliveries / frames_per_write,
        copies=rate_per_s * each.copies,
        records=records,
        requests=records / records_per_request,
        fetches=rate_per_s * each.fetches,
        commands=rate_per_s * each.commands,
    )
