"""Gateways that die or freeze, as members see it: real processes and sockets, a real Kafka and Redis."""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from architectures.interface import Topology
from harness.core.registry import load_architecture
from harness.services.backends import Backends
from harness.services.fleet import Fleet

BOUND_S = 60.0  # for what must happen, not a measurement


@pytest.fixture
def fleet(request: pytest.FixtureRequest, backends: Backends, tmp_path: Path) -> Iterator[Fleet]:
    architecture = load_architecture(request.param)
    services = backends.services_for(architecture.requires)
    topology = Topology(run_id=f"loss-{secrets.token_hex(4)}", gateways=2, partitions=4)
    architecture.provision(services, topology)
    fleet = Fleet(request.param, services, topology, tmp_path)
    fleet.start()
    try:
        fleet.wait_ready()
        yield fleet
    finally:
        for child in fleet.children:
            if child.process.poll() is None:
                os.kill(child.pid, signal.SIGCONT)
        fleet.stop()


class Client:
    """A member in one room who follows redirects, also those that come later."""

    def __init__(self, connection: ClientConnection, url: str, room: str) -> None:
        self.connection = connection
        self.url = url
        self.room = room
        self.heard: list[str] = []
        self.acked: list[int] = []
        self.is_in = True

    async def say(self, number: int) -> None:
        await send(self.connection, {"t": "say", "room": self.room, "id": number, "text": f"{number}"})

    async def listen(self) -> None:
        """Until the connection ends or the room moves."""
        try:
            async for frame in self.connection:
                match msgspec.json.decode(frame):
                    case {"t": "chat", "text": text}:
                        self.heard.append(text)
                    case {"t": "ack", "id": number}:
                        self.acked.append(number)
                    case {"t": "redirect"} | {"t": "error"}:  # the room has moved, or is about to
                        self.is_in = False
                        return
        except ConnectionClosed:
            return


async def send(connection: ClientConnection, frame: dict[str, Any]) -> None:
    await connection.send(msgspec.json.encode(frame).decode())


@asynccontextmanager
async def member(room: str, urls: list[str]) -> AsyncIterator[Client]:
    """In the room by way of these gateways: the first, and if that leads to a dead one, the next."""
    async with asyncio.timeout(BOUND_S):
        attempt = 0
        url = urls[0]
        while True:
            try:
                connection = await connect(url, compression=None)
            except OSError:  # this one is dead
                answer = {}
            else:
                await send(connection, {"t": "join", "room": room})
                answer = msgspec.json.decode(await connection.recv())
                if answer["t"] == "joined":
                    break
                await connection.close()
            attempt += 1
            url = answer.get("url") or urls[attempt % len(urls)]
            await asyncio.sleep(0.05)
    client = Client(connection, url, room)
    listening = asyncio.create_task(client.listen())
    try:
        yield client
    finally:
        await connection.close()
        await listening


async def until(reached: Any) -> None:
    async with asyncio.timeout(BOUND_S):
        while not reached():  # noqa: ASYNC110 - what arrives is only seen by looking
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("fleet", ["plan2"], indirect=True)
def test_plan2_serves_the_rooms_of_a_gateway_that_was_killed(fleet: Fleet) -> None:
    async def scenario() -> None:
        async with member("r", fleet.urls) as client:
            await client.say(1)
            await until(lambda: client.heard == ["1"])
            lost = fleet.urls.index(client.url)
        fleet.children[lost].process.kill()
        async with member("r", [fleet.urls[1 - lost]]) as one, member("r", [fleet.urls[1 - lost]]) as other:
            assert one.url == other.url == fleet.urls[1 - lost]
            await one.say(2)
            await until(lambda: one.heard == other.heard == ["2"])

    asyncio.run(scenario())


@pytest.mark.parametrize("fleet", ["plan2"], indirect=True)
def test_plan2_sends_members_away_when_a_gateway_was_frozen_and_its_rooms_have_moved(fleet: Fleet) -> None:
    async def scenario() -> None:
        async with member("r", fleet.urls) as stranded:
            frozen = fleet.urls.index(stranded.url)
            awake = fleet.urls[1 - frozen]
            os.kill(fleet.children[frozen].pid, signal.SIGSTOP)
            async with member("r", [awake]) as newcomer:
                assert newcomer.url == awake
                os.kill(fleet.children[frozen].pid, signal.SIGCONT)
                await until(lambda: not stranded.is_in)
        # Back in the group, it may be given the room again. Wherever that ends: the room is on one gateway.
        async with asyncio.timeout(BOUND_S):
            while not await hear_each_other(fleet.urls):
                pass

    asyncio.run(scenario())


async def hear_each_other(urls: list[str]) -> bool:
    """Whether two who come by way of different gateways meet; False if the room moves just then."""
    async with member("r", urls) as one, member("r", urls[::-1]) as other:
        await one.say(3)
        await until(lambda: one.heard == other.heard == ["3"] or not (one.is_in and other.is_in))
        if not (one.is_in and other.is_in):
            return False
        assert one.url == other.url
        return True


async def speak(client: Client) -> None:
    for number in range(300):
        await client.say(number)
        await asyncio.sleep(0.005)


@pytest.mark.parametrize("fleet", ["kafka-redis"], indirect=True)
def test_kafka_redis_resumes_where_a_killed_relay_had_got_to(fleet: Fleet) -> None:
    async def scenario() -> None:
        survivor = [fleet.urls[0]]
        rooms = [f"room-{number}" for number in range(8)]  # over all partitions, so some of the killed relay's
        async with AsyncExitStack() as stack:
            clients = [await stack.enter_async_context(member(room, survivor)) for room in rooms]
            speaking = asyncio.gather(*(speak(client) for client in clients))
            await asyncio.sleep(0.7)
            fleet.children[1].process.kill()
            await speaking
            await until(lambda: all(len(client.acked) == 300 for client in clients))
            await until(lambda: all(len(client.heard) >= 300 for client in clients))
            await asyncio.sleep(0.5)
            for client in clients:
                assert client.heard == [str(number) for number in range(300)]

    asyncio.run(scenario())
