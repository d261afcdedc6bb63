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
HISTORY_MAX = 10_000  # the most messages of a room that one call of `history` returns
HISTORY_MAX_BYTES = 4 * 1024 * 1024  # once their payloads exceed this, older messages may be left out


class Delivery(NamedTuple):
    """One message on its way to the members of a room. The payload is opaque to an architecture."""

    room: str
    payload: bytes


@dataclass(frozen=True, slots=True)
class Requirements:
    """What an architecture needs before its gateways can start."""

    kafka: bool = False
    redis: bool = False  # a single Redis server
    redis_any_node: bool = False  # any node of a cluster works as well: true for classic pub/sub, not for keys
    redis_cluster: bool = False  # a Redis cluster, whose nodes share the rooms
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
    """What an architecture promises. Every run checks the promises it can and names those it could not check."""

    everyone: bool  # an acked message reaches every member of the room
    once: bool  # a member gets no message twice while it stays connected
    ordered: bool  # a member gets each sender's messages in the order they were sent
    durable_ack: bool  # an acked message survives the restart of the backend
    once_on_return: bool = False  # `once` also holds across a reconnect, and when the room moves to another gateway
    history: bool = False  # a member that returns to a room can get what it missed: see Architecture.history
    # The promises above hold under these faults, named as for `--fault`: "kill:broker", "pause:redis".
    survives: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Services:
    """Where the backends are; None for a backend that was not required."""

    kafka_bootstrap: str | None = None
    redis_url: str | None = field(default=None, repr=False)  # may contain a password, as may nats_url
    nats_url: str | None = field(default=None, repr=False)
    # Settings for every Kafka client besides the bootstrap servers: authentication and TLS. They may hold secrets.
    kafka_settings: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Topology:
    """The shape of one run, the same for every gateway."""

    run_id: str  # prefix of every topic and channel, so that two runs never meet
    gateways: int
    brokers: int = 1
    partitions: int | None = None  # None: as many as the architecture needs
    options: Mapping[str, Option] = field(default_factory=dict)  # a value for each of Architecture.options

    def topic(self, suffix: str) -> str:
        """The run's own topic of that name."""
        return f"{self.run_id}-{suffix}"


class Role(StrEnum):
    """The part that an architecture plays in a comparison."""

    CANDIDATE = "candidate"  # compared by default
    ALTERNATIVE = "alternative"  # compared only when named
    CONTROL = "control"  # a negative control: it shows the failure that the candidates prevent
    FLOOR = "floor"  # one gateway without a backend: the lowest possible cost
    CALIBRATION = "calibration"  # injects faults of known amounts, to check the measurements


class BadTopology(ValueError):
    """The architecture cannot work with this topology; the message is one sentence for the user."""


class Rejected(Exception):
    """The backend did not accept a message; the gateway answers with an error instead of an ack."""


class GoneForGood(Exception):
    """The backend refuses for good, and retrying cannot help: a permission is missing, or a topic was deleted.

    Pass it to `failed`, or raise it in `open`. The text is one sentence for the user that says what would be right.
    """


class Moving(Exception):
    """The room is moving from one owner to another; try again in a moment."""


class Candidate(ABC):
    """What can be compared: an architecture in chatbench's gateway, or another project's gateway (see peers/)."""

    name: ClassVar[str]
    summary: ClassVar[str]
    requires: ClassVar[Requirements]
    promises: ClassVar[Promises]
    # The options of the architecture with their defaults; the user sets them with `--arch-set NAME=VALUE`.
    options: ClassVar[Mapping[str, Option]] = {}
    role: ClassVar[Role] = Role.ALTERNATIVE
    # The colour in every chart, as #rrggbb; None: chatbench picks an unused one.
    colour: ClassVar[str | None] = None
    # Whether comparisons show the other architectures relative to this one.
    baseline: ClassVar[bool] = False
    # Whether each room is served by one gateway, to which all its members must connect: see Architecture.owner.
    rooms_have_owners: ClassVar[bool] = False
    # The name of the architecture that does the same on the nodes of a Redis cluster, for when one Redis is full.
    on_shards: ClassVar[str | None] = None

    @classmethod
    def route(cls, scene: Scene) -> Route:
        """The transfers that one message causes.

        The default depends on `requires`. With Kafka: one record, which every gateway reads. With another backend: one
        command, and a copy for each gateway that has members of the room. With none: those copies alone, sent from
        gateway to gateway.
        """
        if cls.requires.kafka:
            read = [(scene.partition, number) for number in scene.every_gateway]
            return through_kafka(scene, scene.sender, [scene.partition], read, scene.listening)
        return through_channel(scene, "backend") if cls.requires.any_backend else between_gateways(scene)

    @classmethod
    @abstractmethod
    def check(cls, topology: Topology) -> None:
        """Raise BadTopology if the architecture cannot work with this topology. It contacts no service."""

    @classmethod
    @abstractmethod
    def provision(cls, services: Services, topology: Topology) -> None:
        """Create topics and partitions. It must be idempotent; it runs once, before the gateways start."""


def not_traced(_payload: bytes, _what: str) -> None:
    """Do nothing: the `mark` of an architecture whose messages nobody traces."""


class Architecture(Candidate):
    """One way to carry chat between gateways. One instance lives in each gateway process."""

    def __init__(self, services: Services, topology: Topology, gateway: int) -> None:
        """Keep the arguments; `gateway` is the index of this gateway, 0 <= gateway < topology.gateways."""
        self.services = services
        self.topology = topology
        self.gateway = gateway
        # Call it with a payload and a short name when the message has got to a point of its own way, such as "relayed".
        # The gateway sets it where a run traces its messages; the name is then a stage in the report.
        self.mark: Callable[[bytes, str], None] = not_traced

    @abstractmethod
    async def open(
        self,
        deliver: Callable[[Sequence[Delivery]], None],
        failed: Callable[[BaseException], None],
        moved: Callable[[Sequence[str]], None],
    ) -> None:
        """Connect. On return, every message published from now on will be delivered.

        Call the three functions on the event loop. Call `deliver` once per batch, not per message. Call `failed` when
        the backend is gone for good, since a dead backend must not look like a silent room. Only an architecture
        whose rooms have owners calls `moved`: with the rooms that this gateway stops serving, after the last delivery
        it owes them. When `moved` returns, no local member is in these rooms.
        """

    @abstractmethod
    async def publish(self, room: str, payload: bytes) -> None:
        """Send a message to a room, and return when the backend has accepted it, which is what an ack means.

        Calls may overlap; the messages must keep the order of the calls.
        Raises Rejected when the backend did not accept it.
        """

    @abstractmethod
    async def join(self, room: str) -> None:
        """Start delivering the room, whose first local member is about to join. On return its messages will arrive."""

    @abstractmethod
    async def leave(self, room: str) -> None:
        """Stop delivering the room, whose last local member has left."""

    async def history(self, room: str, after_s: float) -> Sequence[bytes]:
        """Return the payloads accepted for the room since `after_s` (seconds since the epoch), in order.

        The result ends exactly where `deliver` stands at the time of the call: later deliveries are not in it, so there
        is neither a gap nor an overlap. Messages close to `after_s` may be in it or not, because clocks differ.
        It holds the latest messages: at most HISTORY_MAX, and at most one message more than fits HISTORY_MAX_BYTES,
        so that a caller who counts the bytes sees that older messages may be missing.
        The gateway calls it only between `join` and `leave` of the room, and only if the architecture promises
        `history`; it cancels the call when no member waits for the result. Raises Rejected when the backend cannot
        answer.
        """
        raise Rejected(f"{self.name} keeps no history")

    @abstractmethod
    def owner(self, room: str) -> int | None:
        """Return the gateway that must serve the room, or None if any may. Raises Moving while the owner changes."""

    @abstractmethod
    async def close(self) -> None:
        """Flush the messages that were accepted, then disconnect."""
