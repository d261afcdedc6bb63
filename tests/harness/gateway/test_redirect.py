"""Joins of a room that another gateway owns."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import msgspec
import pytest
from websockets.protocol import State

from architectures.direct import Direct
from architectures.interface import Moving, Services, Topology
from harness.gateway.member_connection import MemberConnection
from harness.gateway.session import Hub, Session
from harness.gateway.settings import GatewaySettings, Limits, gateway_url


class OwnedElsewhere(Direct):
    def owner(self, room: str) -> int | None:
        return 1 if room == "theirs" else 0


class Between(Direct):
    """Nobody serves the room, for as many questions as it is told."""

    questions = 0

    def owner(self, room: str) -> int | None:
        self.questions -= 1
        if self.questions >= 0:
            raise Moving(room)
        return 0


USUAL = Limits()


def settings(ports: tuple[int, ...], limits: Limits = USUAL) -> GatewaySettings:
    topology = Topology(run_id="r", gateways=len(ports))
    return GatewaySettings(
        arch="direct",
        services=Services(),
        topology=topology,
        index=0,
        port=ports[0],
        peers=tuple(map(gateway_url, ports)),
        limits=limits,
    )


class Peer:
    """Stands in for the member's socket."""

    state = State.OPEN

    def __init__(self, *frames: dict[str, Any]) -> None:
        self._frames = [msgspec.json.encode(frame).decode() for frame in frames]
        self.heard: list[dict[str, Any]] = []
        self.transport = self.protocol = self

    async def __aiter__(self) -> Any:
        for frame in self._frames:
            yield frame

    def write(self, frame: bytes) -> None:
        assert frame[0] == 0x81  # a whole text
        self.heard.append(msgspec.json.decode(frame[2:]))


def test_a_foreign_room_is_answered_with_its_owners_address() -> None:
    async def scenario() -> list[dict[str, Any]]:
        architecture = OwnedElsewhere(Services(), Topology(run_id="r", gateways=2), gateway=0)
        hub = Hub(settings(ports=(1, 2)), architecture)
        peer = Peer({"t": "join", "room": "theirs"}, {"t": "join", "room": "ours"})
        await Session(hub, cast(MemberConnection, peer), "m").serve()
        assert len(hub.rooms) == 0
        return peer.heard

    assert asyncio.run(scenario()) == [
        {"t": "redirect", "room": "theirs", "url": "ws://127.0.0.1:2"},
        {"t": "joined", "room": "ours"},
    ]


@pytest.mark.parametrize(
    ("questions", "answer"),
    [
        (3, {"t": "joined", "room": "r"}),
        (
            10_000,
            {"t": "error", "code": "moving", "reason": "no gateway serves 'r' at the moment; join it again later"},
        ),
    ],
    ids=["for a moment", "for too long"],
)
def test_a_join_waits_while_the_room_moves_but_not_for_ever(questions: int, answer: dict[str, Any]) -> None:
    async def scenario() -> list[dict[str, Any]]:
        architecture = Between(Services(), Topology(run_id="r", gateways=1), gateway=0)
        architecture.questions = questions
        hub = Hub(settings(ports=(1,), limits=Limits(moving_max_s=0.3)), architecture)
        peer = Peer({"t": "join", "room": "r"})
        await Session(hub, cast(MemberConnection, peer), "m").serve()
        assert len(hub.rooms) == 0
        return peer.heard

    assert asyncio.run(scenario()) == [answer]
