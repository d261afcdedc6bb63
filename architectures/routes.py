"""The route of one message, from its sender to the members of its room: what an architecture says of itself.

Diagrams, the chat page, the cost model and the advice all follow from it, and a test holds it against what the brokers
counted. The functions at the end are the routes that several architectures share.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from architectures.clients.kafka_partitions import partition_of


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Where a message can be: `column` counts from left to right, `row` from top to bottom."""

    column: int
    row: float
    name: str


@dataclass(frozen=True, slots=True)
class Arrow:
    """One transfer of a message. `wasted`: no member behind its end is in the room."""

    start: Place
    end: Place
    wasted: bool = False


@dataclass(frozen=True, slots=True)
class Route:
    """The transfers that one message causes, by kind: their numbers are the amounts that the cost model counts.

    Each number must be linear in the number of gateways and in the number of those with members of the room.
    """

    sent: Sequence[Arrow]  # from the sender to the gateway that takes the message
    records: Sequence[Arrow] = ()  # appended to Kafka
    fetches: Sequence[Arrow] = ()  # records that gateways or relays read from Kafka
    commands: Sequence[Arrow] = ()  # published to Redis or NATS
    copies: Sequence[Arrow] = ()  # that reach a gateway to be delivered there, wanted or not
    heard: Sequence[Arrow] = ()  # from gateways to members
    unreached: Sequence[Place] = ()  # members of the room that hear nothing
    idle: Sequence[Place] = ()  # what is there as well

    def arrows(self) -> Iterator[Arrow]:
        """All of them, each once: the record that a gateway fetches may be the copy that it delivers."""
        yield from dict.fromkeys((*self.sent, *self.records, *self.fetches, *self.commands, *self.copies, *self.heard))


@dataclass(frozen=True, slots=True)
class Scene:
    """Who sends where, and whose members listen. Gateways and partitions are numbered from 0."""

    gateways: int
    partitions: int
    room: str
    sender: int  # the gateway that the sender is connected to, where any gateway may be
    listening: Sequence[int]  # the gateways that members of the room are connected to, where any may be
    owner: int | None = None  # the gateway that serves the room, where one must; None: as if each had its partition

    @property
    def every_gateway(self) -> range:
        return range(self.gateways)

    @property
    def every_partition(self) -> range:
        return range(self.partitions)

    @property
    def partition(self) -> int:
        """The room's."""
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
    """`written`: to which partitions; `read`: from which of them by which gateway; `listening`: whose members wait."""
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
    """One thing in the middle, which sends a copy to each gateway that has members of the room."""
    middle = Place(2, scene.middle, channel)
    return Route(
        sent=[Arrow(sender(scene), gateway(scene.sender, 1))],
        commands=[Arrow(gateway(scene.sender, 1), middle)],
        copies=[Arrow(middle, gateway(number, 3)) for number in scene.listening],
        heard=[Arrow(gateway(number, 3), members(number, 4)) for number in scene.listening],
        idle=[gateway(number, 3) for number in scene.every_gateway],
    )


def between_gateways(scene: Scene) -> Route:
    """No backend: the sender's gateway writes to each gateway that has members of the room."""
    return Route(
        sent=[Arrow(sender(scene), gateway(scene.sender, 1))],
        copies=[Arrow(gateway(scene.sender, 1), gateway(number, 2)) for number in scene.listening],
        heard=[Arrow(gateway(number, 2), members(number, 3)) for number in scene.listening],
        idle=[gateway(number, 2) for number in scene.every_gateway],
    )


def within_one_gateway(scene: Scene) -> Route:
    """No backend: the only gateway hands the message to its own members."""
    only = Place(1, scene.middle, "the gateway")
    return Route(sent=[Arrow(sender(scene), only)], heard=[Arrow(only, Place(2, scene.middle, "members"))])
