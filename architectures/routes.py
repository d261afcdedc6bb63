"""The way of one message through each architecture, from its sender to the members of its room, box by box."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from architectures.clients.kafka import partition_count
from architectures.clients.kafka_partitions import partition_of
from architectures.interface import Topology


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Where a message can be: `column` from left to right, `row` from top to bottom."""

    column: int
    row: float
    name: str


@dataclass(frozen=True, slots=True)
class Arrow:
    """`wasted`: nobody there wants it."""

    start: Place
    end: Place
    wasted: bool = False


@dataclass(frozen=True, slots=True)
class Diagram:
    """Each list of arrows is one of the amounts that harness.experiments.costs.workload counts."""

    sent: list[Arrow]  # from the sender to the gateway that takes it
    records: list[Arrow]
    fetches: list[Arrow]
    commands: list[Arrow]
    copies: list[Arrow]
    heard: list[Arrow]
    unreached: list[Place]  # gateways whose members of the room hear nothing
    idle: list[Place]  # what is there, too

    def arrows(self) -> Iterator[Arrow]:
        """All of them, each once: what a consumer fetches may be the copy that its gateway gets."""
        yield from dict.fromkeys((*self.sent, *self.records, *self.fetches, *self.commands, *self.copies, *self.heard))


@dataclass(frozen=True, slots=True)
class Scene:
    """Who speaks where, and whose members listen."""

    topology: Topology
    room: str
    sender: int  # the gateway that the sender is connected to, where any will do
    listening: Sequence[int]  # the gateways that members of the room are connected to, where any will do
    owner: int | None = None  # the gateway that serves the room, where one does; None: as if each had its partition

    @property
    def gateways(self) -> range:
        return range(self.topology.gateways)

    @property
    def partitions(self) -> range:
        return range(partition_count(self.topology))

    @property
    def of_the_room(self) -> int:
        """The room's partition."""
        return partition_of(self.room, len(self.partitions))

    @property
    def middle(self) -> float:
        return (self.topology.gateways - 1) / 2


def way_of(arch: str, scene: Scene) -> Diagram:
    """For an architecture of somebody else's: whatever it is, it has a backend in the middle."""
    return WAYS.get(arch, _through_backend)(scene)


def _sender(scene: Scene) -> Place:
    return Place(0, scene.middle, "sender")


def _gateway(number: int, column: int) -> Place:
    return Place(column, number, f"gateway {number}")


def _partition(number: int) -> Place:
    return Place(2, number, f"partition {number}")


def _members(number: int, column: int) -> Place:
    return Place(column, number, "members")


def _through_kafka(
    scene: Scene, taken_by: int, written: Sequence[int], read: Sequence[tuple[int, int]], listening: Sequence[int]
) -> Diagram:
    """`written`: to which partitions; `read`: from which of them by which gateway; `listening`: whose members wait."""
    arrives = {gateway for _partition_read, gateway in read}
    return Diagram(
        sent=[Arrow(_sender(scene), _gateway(taken_by, 1))],
        records=[Arrow(_gateway(taken_by, 1), _partition(number)) for number in written],
        fetches=(fetched := [Arrow(_partition(p), _gateway(g, 3), g not in listening) for p, g in read]),
        commands=[],
        copies=fetched,
        heard=[Arrow(_gateway(number, 3), _members(number, 4)) for number in listening if number in arrives],
        unreached=[_members(number, 4) for number in listening if number not in arrives],
        idle=[*map(_partition, scene.partitions), *(_gateway(number, 3) for number in scene.gateways)],
    )


def _plan1(scene: Scene) -> Diagram:
    count = len(scene.gateways)
    own = [(partition, gateway) for gateway in scene.gateways for partition in scene.partitions[gateway::count]]
    return _through_kafka(scene, scene.sender, scene.partitions, own, scene.listening)


def _plan2(scene: Scene) -> Diagram:
    owner = scene.of_the_room % len(scene.gateways) if scene.owner is None else scene.owner
    return _through_kafka(scene, owner, [scene.of_the_room], [(scene.of_the_room, owner)], (owner,))


def _kafka_broadcast(scene: Scene) -> Diagram:
    read = [(scene.of_the_room, gateway) for gateway in scene.gateways]
    return _through_kafka(scene, scene.sender, [scene.of_the_room], read, scene.listening)


def _naive(scene: Scene) -> Diagram:
    # Any partition may get it; this one shows who is left out.
    lucky = scene.listening[0]
    return _through_kafka(scene, scene.sender, [lucky], [(lucky, lucky)], scene.listening)


def _redis(scene: Scene) -> Diagram:
    return _through(scene, f"channel {scene.room}")


def _redis_sharded(scene: Scene) -> Diagram:
    return _through(scene, f"shard {scene.room}")


def _nats(scene: Scene) -> Diagram:
    return _through(scene, f"subject {scene.room}")


def _redis_streams(scene: Scene) -> Diagram:
    return _through(scene, f"stream {scene.room}")


def _through_backend(scene: Scene) -> Diagram:
    return _through(scene, "backend")


def _through(scene: Scene, name: str) -> Diagram:
    """One thing in the middle, from which a message gets to the gateways that want it."""
    middle = Place(2, scene.middle, name)
    return Diagram(
        sent=[Arrow(_sender(scene), _gateway(scene.sender, 1))],
        records=[],
        fetches=[],
        commands=[Arrow(_gateway(scene.sender, 1), middle)],
        copies=[Arrow(middle, _gateway(number, 3)) for number in scene.listening],
        heard=[Arrow(_gateway(number, 3), _members(number, 4)) for number in scene.listening],
        unreached=[],
        idle=[_gateway(number, 3) for number in scene.gateways],
    )


def _kafka_redis(scene: Scene) -> Diagram:
    partition = scene.of_the_room
    relay = Place(3, partition % len(scene.gateways), f"relay {partition % len(scene.gateways)}")
    channel = Place(4, scene.middle, f"channel {scene.room}")
    return Diagram(
        sent=[Arrow(_sender(scene), _gateway(scene.sender, 1))],
        records=[Arrow(_gateway(scene.sender, 1), _partition(partition))],
        fetches=[Arrow(_partition(partition), relay)],
        commands=[Arrow(relay, channel)],
        copies=[Arrow(channel, _gateway(number, 5)) for number in scene.listening],
        heard=[Arrow(_gateway(number, 5), _members(number, 6)) for number in scene.listening],
        unreached=[],
        idle=[
            *map(_partition, scene.partitions),
            *(Place(3, number, f"relay {number}") for number in scene.gateways),
            *(_gateway(number, 5) for number in scene.gateways),
        ],
    )


def _direct(scene: Scene) -> Diagram:
    gateway = Place(1, scene.middle, "the gateway")
    return Diagram(
        sent=[Arrow(_sender(scene), gateway)],
        records=[],
        fetches=[],
        commands=[],
        copies=[],
        heard=[Arrow(gateway, Place(2, scene.middle, "members"))],
        unreached=[],
        idle=[],
    )


WAYS: dict[str, Callable[[Scene], Diagram]] = {
    "plan1": _plan1,
    "plan2": _plan2,
    "redis": _redis,
    "kafka-redis": _kafka_redis,
    "redis-sharded": _redis_sharded,
    "redis-streams": _redis_streams,
    "nats": _nats,
    "kafka-broadcast": _kafka_broadcast,
    "naive": _naive,
    "direct": _direct,
    "faulty": _direct,
}
