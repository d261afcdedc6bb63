"""plan2 while its partitions move from one gateway to another, on a real Kafka."""

from __future__ import annotations

import asyncio
import time

from architectures.interface import Rejected
from architectures.plan2 import Plan2
from chatbench.testing.gateways import Gateways, Member, opened
from harness.services.backends import Backends
from tests.real.runs import PATIENCE_S

REQUIRES = Plan2.requires
ROOMS = [f"room-{number}" for number in range(12)]
CLIENTS_PER_ROOM = 2
ACKS_BETWEEN = 400  # messages between two moves


class Stay:
    """A member from join to eviction, and what it was owed."""

    def __init__(self, member: Member, began: float) -> None:
        self.member = member
        self.began = began
        self.ended = float("inf")


class Chat:
    """Two clients a room who join again whenever they are sent away, and somebody who speaks all the time."""

    def __init__(self, running: Gateways) -> None:
        self.running = running
        self.open_gateways = {0, 1, 2}
        self.stays: list[Stay] = []
        self.acked: dict[bytes, tuple[str, float, float]] = {}  # payload -> room, said at, acked at
        self.over = False

    async def client(self, room: str, number: int) -> None:
        while not self.over:
            gateways = sorted(self.open_gateways)
            member = await self.running.join(room, gateways[number % len(gateways)])
            self.assert_not_split(room)
            stay = Stay(member, time.monotonic())
            self.stays.append(stay)
            sequence = 0
            while member.is_in and not self.over:
                payload = f"{room}/{number}/{len(self.stays)}/{sequence}".encode()
                sequence += 1
                said_at = time.monotonic()
                try:
                    await self.running.say(member, payload)
                except Rejected:
                    pass  # the room is about to move
                else:
                    self.acked[payload] = (room, said_at, time.monotonic())
                await asyncio.sleep(0.01)
            stay.ended = time.monotonic() if not member.is_in else float("inf")

    async def go_on(self) -> None:
        """Return when every client is in its room, and many more messages have been acked."""
        enough = len(self.acked) + ACKS_BETWEEN
        async with asyncio.timeout(PATIENCE_S):
            while len(self.acked) < enough or self.present() < CLIENTS_PER_ROOM * len(ROOMS):  # noqa: ASYNC110 - seen only by looking
                await asyncio.sleep(0.01)

    def present(self) -> int:
        return sum(stay.member.is_in for stay in self.stays)

    def assert_not_split(self, room: str) -> None:
        serving = [index for index, gateway in enumerate(self.running.every) if gateway.members.get(room)]
        assert len(serving) == 1

    def all_heard(self) -> bool:
        return all(set(stay.member.heard) >= self.owed_to(stay) for stay in self.stays)

    def owed_to(self, stay: Stay) -> set[bytes]:
        return {
            payload
            for payload, (room, said_at, acked_at) in self.acked.items()
            if room == stay.member.room and said_at > stay.began and acked_at < stay.ended
        }


def test_a_room_is_never_split_and_loses_nothing_while_partitions_move(backends: Backends) -> None:
    async def scenario() -> None:
        async with opened(Plan2, backends.services_for(Plan2.requires)) as running:
            chat = Chat(running)
            async with asyncio.TaskGroup() as clients:
                for room in ROOMS:
                    for number in range(CLIENTS_PER_ROOM):
                        clients.create_task(chat.client(room, number))
                await chat.go_on()
                chat.open_gateways.remove(1)
                await running.close_gateway(1)
                await chat.go_on()
                await running.reopen_gateway(1)
                chat.open_gateways.add(1)
                await chat.go_on()
                chat.over = True
            moves = len(chat.stays) - CLIENTS_PER_ROOM * len(ROOMS)
            assert moves > 4  # rooms of the gateway that left, and of the one that came back
            await running.until(chat.all_heard)
            for stay in chat.stays:
                assert len(stay.member.heard) == len(set(stay.member.heard))

    asyncio.run(scenario())
