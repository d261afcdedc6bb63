"""The interface between a gateway and an architecture: the one page a plug-in author reads.

A gateway terminates WebSockets and knows rooms and their local members. An architecture only moves a message
from the gateway it arrived at to every gateway that has members of its room.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import ClassVar, NamedTuple

from architectures.routes import Route, Scene, between_gateways, through_channel, through_kafka

Option = float | str
HISTORY_MAX = 10_000  # messages of a room that are asked for at once
HISTORY_MAX_BYTES = 4 * 1024 * 1024  # of their payloads: what is older may be left out once the rest has more


class Delivery(NamedTuple):
    """One message on its way to the members of a room. The payload is opaque to an architecture."""

    room: str
    payload: bytes


@dataclass(frozen=True, slots=True)
class Requirements:
    """What an architecture needs before its gateways can start."""

    kafka: bool = False
    redis: bool = False  # one server will do
    redis_any_node: bool = False  # and so will a cluster, at whichever node: true of classic channels, not of keys
    redis_cluster: bool = False  # a cluster, over whose nodes it spreads rooms
    nats: bool = False
    gateways_max: int | None = None  # None: any number

    @property
    def any_redis(self) -> bool:
        return self.redis or self.redis_cluster

    @property
    def any_backend(self) -> bool:
        return self.kafka or self.any_redis or self.nats


@dataclass(frozen=True, slots=True)
class Promises:
    """What an architecture promises; every run checks what it can and says which it could not."""

    everyone: bool  # an acked message reaches every member of the room
    once: bool  # no member gets a message twice, as long as it stays
    ordered: bool  # a member gets each sender's messages in the order they were sent
    durable_ack: bool  # an acked message survives the restart of the backend
    once_on_return: bool = False  # nor one that it had before its connection broke, or its room moved to a gateway
    history: bool = False  # who comes back to a room can have what was said there meanwhile: see Architecture.history
    # Faults in spite of which the promises above hold, as `--fault` names them: "kill:broker", "pause:redis".
    survives: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Services:
    """Where the backends are; None for a backend that was not required."""

    kafka_bootstrap: str | None = None
    redis_url: str | None = field(default=None, repr=False)  # with its password, as the next
    nats_url: str | None = field(default=None, repr=False)
    # Of every Kafka client, beside the bootstrap servers: how it proves who it is, and whom it believes. May be secret.
    kafka_settings: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Topology:
    """The shape of one run, the same for every gateway."""

    run_id: str  # prefix of every topic and channel, so that two runs never meet
    gateways: int
    brokers: int = 1
    partitions: int | None = None  # None: as many as the architecture needs
    options: Mapping[str, Option] = field(default_factory=dict)  # of Architecture.options, all of them

    def topic(self, suffix: str) -> str:
        """The run's own topic of that name."""
        return f"{self.run_id}-{suffix}"


class Role(StrEnum):
    """What an architecture is in a comparison."""

    CANDIDATE = "candidate"  # compared unless others are named
    ALTERNATIVE = "alternative"  # another way to do the same, compared where it is named
    CONTROL = "control"  # shows what goes wrong without what the candidates do
    FLOOR = "floor"  # no backend and one gateway: no chat costs less
    CALIBRATION = "calibration"  # does wrong what is asked for, so that what is measured can be checked


class BadTopology(ValueError):
    """The architecture cannot work with this topology; the message is one sentence for the user."""


class Rejected(Exception):
    """The backend did not accept a message; the gateway answers with an error instead of an ack."""


class GoneForGood(Exception):
    """Something that the backend will not do however often it is asked: a right is missing, a topic was deleted.

    `failed` is told it, or `open` raises it; the text is one sentence for the user, with what would be right.
    """


class Moving(Exception):
    """The room is between two owners; ask again in a moment."""


class Candidate(ABC):
    """What can be compared: an architecture in chatbench's gateway, or a gateway of somebody else's (peers/)."""

    name: ClassVar[str]
    summary: ClassVar[str]
    requires: ClassVar[Requirements]
    promises: ClassVar[Promises]
    # Its own options, and what they are where the user does not say so with `--arch-set NAME=VALUE`.
    options: ClassVar[Mapping[str, Option]] = {}
    role: ClassVar[Role] = Role.ALTERNATIVE
    # Its line in every chart, as #rrggbb; None: one that no other has.
    colour: ClassVar[str | None] = None
    # Whether the others are shown as so many times this one, where it is among them.
    baseline: ClassVar[bool] = False
    # Whether a room lives on one gateway, which all of its members must be connected to: see Architecture.owner.
    rooms_have_owners: ClassVar[bool] = False

    @classmethod
    def route(cls, scene: Scene) -> Route:
        """The transfers that one message causes.

        Unless an architecture says better: where it requires Kafka, one record that every gateway reads; where it
        requires another backend, one command, and a copy for each gateway with members of the room; and otherwise
        those copies alone, from gateway to gateway.
        """
        if cls.requires.kafka:
            read = [(scene.partition, number) for number in scene.every_gateway]
            return through_kafka(scene, scene.sender, [scene.partition], read, scene.listening)
        return through_channel(scene, "backend") if cls.requires.any_backend else between_gateways(scene)

    @classmethod
    @abstractmethod
    def check(cls, topology: Topology) -> None:
        """Raise BadTopology if it cannot work in that shape. Touches no service."""

    @classmethod
    @abstractmethod
    def provision(cls, services: Services, topology: Topology) -> None:
        """Make topics and partitions. Idempotent; runs once, before the gateways start."""


class Architecture(Candidate):
    """One way to carry chat between gateways. One instance lives in each gateway process."""

    def __init__(self, services: Services, topology: Topology, gateway: int) -> None:
        """`gateway` is this gateway's index, 0 <= gateway < topology.gateways."""
        self.services = services
        self.topology = topology
        self.gateway = gateway

    @abstractmethod
    async def open(
        self,
        deliver: Callable[[Sequence[Delivery]], None],
        failed: Callable[[BaseException], None],
        moved: Callable[[Sequence[str]], None],
    ) -> None:
        """Connect; on return every message published from now on will be delivered.

        Call all three on the event loop. `deliver`: once per batch and not per message. `failed`: when the backend
        is gone for good, since a dead backend must not look like a silent room. `moved`: with rooms that this
        gateway must serve no longer, after the last delivery it owes them; on return no member here is in them.
        Only an architecture whose rooms have owners calls it.
        """

    @abstractmethod
    async def publish(self, room: str, payload: bytes) -> None:
        """Send a message to a room; returns when the backend accepted it, which is what an ack means.

        Called again before an earlier call has returned: messages keep the order of the calls.
        Raises Rejected when the backend did not accept it.
        """

    @abstractmethod
    async def join(self, room: str) -> None:
        """The first local member of the room is about to join; on return its messages will be delivered."""

    @abstractmethod
    async def leave(self, room: str) -> None:
        """The last local member of the room has left."""

    async def history(self, room: str, after_s: float) -> Sequence[bytes]:
        """What the backend accepted for the room since that moment (seconds since the epoch), in order.

        It ends where `deliver` has come when this is called: what is delivered from then on is not in it, so nothing is
        missing between the two, and nothing is in both. A message near the moment may be in it or not: clocks differ.
        At most HISTORY_MAX messages, the latest, and of these no more than HISTORY_MAX_BYTES and one message: whoever
        counts the bytes sees that there may have been more. It is cancelled when nobody waits for it any more. It is
        called only between `join` and `leave` of the room, and only of an architecture that promises `history`.
        Raises Rejected when the backend cannot tell.
        """
        raise Rejected(f"{self.name} keeps nothing of what was said")

    @abstractmethod
    def owner(self, room: str) -> int | None:
        """The gateway that must serve the room; None if any gateway may. Raises Moving while it changes."""

    @abstractmethod
    async def close(self) -> None:
        """Flush what was accepted, then disconnect."""
