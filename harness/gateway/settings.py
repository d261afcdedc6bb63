"""What a gateway process is told on its standard input, and what it answers about itself."""

from __future__ import annotations

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


def gateway_url(port: int) -> str:
    return f"ws://127.0.0.1:{port}"
