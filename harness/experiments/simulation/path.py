"""The path of a message through the servers, read off the architecture's route."""

from __future__ import annotations

from dataclasses import dataclass

from architectures.routes import Scene
from harness.core.registry import load_candidate


@dataclass(frozen=True, slots=True)
class Path:
    """Which servers a message visits: its own gateway, then Kafka, a relay and Redis where it uses them, then gateways.

    The numbers are counted on three small scenes, as the cost model does: routes are linear in the number of gateways.
    """

    owned: bool  # all members of a room are on the gateway that owns it, and write to it
    records: int  # of one message, in the partition of its room
    records_per_gateway: int  # of one message, in the partition of each gateway
    relayed: bool  # something reads Kafka and publishes to Redis
    commands: int
    read_everywhere: bool  # every gateway gets a copy, whether or not it has members of the room


def path_of(arch: str) -> Path:
    kind = load_candidate(arch)
    two, three = (
        kind.route(Scene(gateways, partitions=gateways, room="room", sender=0, listening=range(1)))
        for gateways in (2, 3)
    )
    more_records = len(three.records) - len(two.records)
    return Path(
        owned=kind.rooms_have_owners,
        records=len(two.records) - 2 * more_records,
        records_per_gateway=more_records,
        relayed=bool(two.records) and bool(two.commands),
        commands=len(two.commands),
        read_everywhere=len(three.copies) > len(two.copies),
    )
