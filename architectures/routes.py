"""The route of one message through an architecture, from its sender to the members of its room.

The diagrams, the chat page, the cost model and the advice are derived from the routes. The functions at the end are
routes that several architectures share.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from architectures.clients.kafka_partitions import partition_of


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """A place on the route. `column` counts from left to right, `row` from top to bottom."""

    column: int
    row: float
    name: str


@dataclass(frozen=True, slots=True)
class Arrow:
    """One transfer of a message. It is `wasted` if no member of the room is behind its end."""

    start: Place
    end: Place
    wasted: bool = False


@dataclass(frozen=True, slots=True)
class Route:
    """The transfers that one message causes, by kind. The cost model counts them.

    Each count must be linear in the number of gateways and in the number of gateways with members of the room.
    """

    sent: Sequence[Arrow]  # from the sender to the gateway that takes the message
    records: Sequence[Arrow] = ()  # appended to Kafka
    fetches: Sequence[Arrow] = ()  # records that gateways or relays read from Kafka
    commands: Sequence[Arrow] = ()  # published to Redis or NATS
    copies: Sequence[Arrow] = ()  # copies that reach a gateway, whether or not it has members of the room
    heard: Sequence[Arrow] = ()  # from gateways to members
    unreached: Sequence[Place] = ()  # members of the room that do not get the message
    idle: Sequence[Place] = ()  # places that the diagram shows although no arrow may touch them

    def arrows(self) -> Iterator[Arrow]:
        """Yield every arrow once, also where the record that a gateway fetches is the copy that it delivers."""
        yield from dict.fromkeys((*self.sent, *self.records, *self.fetches, *self.commands, *self.copies, *self.heard))


@dataclass(frozen=True, slots=True)
class Scene:
    """The situation that a route is drawn for: the sender and the listeners of one room, with numbers from 0."""

    gateways: int
    partitions: int
    room: str
    sender: int  # the sender's gateway, if the architecture lets members connect to any gateway
    listening: Sequence[int]  # the gateways with members of the room, likewise
    owner: int | None = None  # the gateway that owns the room; None: partitions are owned in turn

    @property
    def every_gateway(self) -> range:
        return range(self.gateways)

    @property
    def every_partition(self) -> range:
        return range(self.partitions)

    @property
    def partition(self) -> int:
        """The partition of the room."""
        return partition_of(self.room, self.partitions)

    @property
    def middle(self) -> float:
        return (self.gateways - 1) / 2


def sender(scene: Scene) -> Place:
    return Place(0, scene.middle, "sender")


def gateway(number: int, column: int) -> Place:
    return Place(column, number, f"gateway {number}")


def partition(number: int) -> Place:
    return Place(2, number, f"partition {number}")


def members(number: int, column: int) -> Place:
    return Place(column, number, "members")


def through_kafka(
    scene: Scene, taken_by: int, written: Sequence[int], read: Sequence[tuple[int, int]], listening: Sequence[int]
) -> Route:
    """The message goes to the partitions `written`; `read` holds pairs of a partition and the gateway reading it."""
    arrives = {reader for _partition_read, reader in read}
    fetches = [Arrow(partition(p), gateway(g, 3), wasted=g not in listening) for p, g in read]
    return Route(
        sent=[Arrow(sender(scene), gateway(taken_by, 1))],
        records=[Arrow(gateway(taken_by, 1), partition(number)) for number in written],
        fetches=fetches,
        copies=fetches,
        heard=[Arrow(gateway(number, 3), members(number, 4)) for number in listening if number in arrives],
        unreached=[members(number, 4) for number in listening if number not in arrives],
        idle=[*map(partition, scene.every_partition), *(gateway(number, 3) for number in scene.every_gateway)],
    )


def through_channel(scene: Scene, channel: str) -> Route:
    """A channel or subject in the middle sends a copy to each gateway that has members of the room."""
    middle = Place(2, scene.middle, channel)
    return Route(
        sent=[Arrow(sender(scene), gateway(scene.sender, 1))],
        commands=[Arrow(gateway(scene.sender, 1), middle)],
        copies=[Arrow(middle, gateway(number, 3)) for number in scene.listening],
        heard=[Arrow(gateway(number, 3), members(number, 4)) for number in scene.listening],
        idle=[gateway(number, 3) for number in scene.every_gateway],
    )


def between_gateways(scene: Scene) -> Route:
    """Without a backend, the sender's gateway writes to each gateway that has members of the room."""
    return Route(
        sent=[Arrow(sender(scene), gateway(scene.sender, 1))],
        copies=[Arrow(gateway(scene.sender, 1), gateway(number, 2)) for number in scene.listening],
        heard=[Arrow(gateway(number, 2), members(number, 3)) for number in scene.listening],
        idle=[gateway(number, 2) for number in scene.every_gateway],
    )


def within_one_gateway(scene: Scene) -> Route:
    """Without a backend, the only gateway delivers the message to its own members."""
    only = Place(1, scene.middle, "the gateway")
    return Route(sent=[Arrow(sender(scene), only)], heard=[Arrow(only, Place(2, scene.middle, "members"))])
