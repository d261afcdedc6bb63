"""What a workload makes every part of an architecture do in a second. Counted from its route, not measured."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

from architectures.routes import Scene
from harness.core.registry import architecture_names, load_candidate


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


class Transfers(NamedTuple):
    """How often a message is written and read on its route, on average; each is the number of arrows of that kind."""

    records: float  # appended to Kafka
    fetches: float  # records that gateways read from Kafka
    commands: float  # published to Redis
    copies: float  # that reach a gateway to be delivered there, wanted or not

    @classmethod
    def of(cls, arch: str, gateways: float, spread: float) -> Transfers:
        """With so many gateways, and members of the room on `spread` of them on average."""
        fixed, per_gateway, per_listening = _terms(arch)
        terms = zip(fixed, per_gateway, per_listening, strict=True)
        return cls(*(one + gateways * each + spread * listening for one, each, listening in terms))


@cache
def _terms(arch: str) -> tuple[Transfers, Transfers, Transfers]:
    """What a message takes in any case, for each gateway, and for each one with members of the room.

    Routes are linear in both numbers (a test asserts it of each), so that three small ones tell all of them.
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
    """Whether unit costs are known of everything that it uses: of Kafka and Redis, and not yet of other backends."""
    return (
        arch in architecture_names() and (requires := load_candidate(arch).requires).any_backend and not requires.nats
    )


def uses_kafka(arch: str) -> bool:
    return load_candidate(arch).requires.kafka


def uses_redis(arch: str) -> bool:
    return load_candidate(arch).requires.any_redis


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
