"""What a gateway process is told on its standard input, and what it answers about itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import msgspec

from architectures.interface import Services, Topology


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """Bounds on what one member can make a gateway hold."""

    message_max_bytes: int = 128 * 1024
    rooms_per_member_max: int = 100
    publishing_per_member_max: int = 256
    send_buffer_max_bytes: int = 8 * 1024 * 1024
    slow_check_s: float = 0.1
    moving_max_s: float = 15.0  # how long a join waits for a room that is between two gateways


class GatewaySettings(msgspec.Struct, frozen=True, kw_only=True):
    arch: str
    services: Services
    topology: Topology
    index: int
    ports: tuple[int, ...]  # of all gateways, by index
    limits: Limits = Limits()

    @property
    def peers(self) -> tuple[str, ...]:
        return tuple(gateway_url(port) for port in self.ports)


class GatewayStats(msgspec.Struct, frozen=True, kw_only=True):
    """Counters since the process began."""

    members: int
    rooms: int
    frames_out: int
    wasted: int  # deliveries of the backend for rooms without a local member
    counts: dict[str, int]

    def since(self, before: GatewayStats) -> GatewayStats:
        """Members and rooms as they are, counters as they grew."""
        grown = Counter(self.counts)
        grown.subtract(before.counts)
        return GatewayStats(
            members=self.members,
            rooms=self.rooms,
            frames_out=self.frames_out - before.frames_out,
            wasted=self.wasted - before.wasted,
            counts={cause: count for cause, count in grown.items() if count},
        )


def total(gateways: Iterable[GatewayStats]) -> GatewayStats:
    """Of several gateways. A room that is on two counts twice."""
    stats = list(gateways)
    counts: Counter[str] = Counter()
    for each in stats:
        counts.update(each.counts)
    return GatewayStats(
        members=sum(each.members for each in stats),
        rooms=sum(each.rooms for each in stats),
        frames_out=sum(each.frames_out for each in stats),
        wasted=sum(each.wasted for each in stats),
        counts=dict(counts),
    )


def gateway_url(port: int) -> str:
    return f"ws://127.0.0.1:{port}"
