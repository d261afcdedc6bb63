"""nats on a real server: what an ack and a join are worth, and what happens when the server goes away."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from architectures.interface import Delivery, Refused, Services, Topology
from architectures.nats_core import Nats
from harness.measure.nats_metrics import read_counters
from harness.services.nats import NatsServer, start_nats
from tests.backends import nats_is_here

pytestmark = pytest.mark.skipif(not nats_is_here(), reason="there is no nats-server here")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[NatsServer]:
    server = start_nats(tmp_path / "nats.log")
    try:
        server.finish()
        yield server
    finally:
        server.stop()


async def opened(server: NatsServer, gateway: int, heard: list[Delivery]) -> Nats:
    nats = Nats(Services(nats_url=server.url), Topology(run_id="n", gateways=2), gateway)
    await nats.open(heard.extend, lambda problem: pytest.fail(str(problem)), lambda _rooms: None)
    return nats


async def until(heard: list[Delivery], count: int) -> None:
    async with asyncio.timeout(30):
        while len(heard) < count:  # noqa: ASYNC110 - what arrives is only seen by looking
            await asyncio.sleep(0.001)


def test_when_join_returns_the_next_message_arrives_and_an_ack_says_the_server_has_it(server: NatsServer) -> None:
    async def scenario() -> None:
        heard: list[Delivery] = []
        speaker, listener = await opened(server, 0, []), await opened(server, 1, heard)
        for turn in range(300):  # nats-py's own flush fails here now and then
            await listener.join("busy")
            await speaker.publish("busy", b"%d" % turn)
            await until(heard, turn + 1)
            await listener.leave("busy")
        assert heard == [Delivery("busy", b"%d" % turn) for turn in range(300)]
        before = read_counters(server.monitor_port)
        await asyncio.gather(*(speaker.publish("nobody", b"12345") for _ in range(10)))
        since = read_counters(server.monitor_port).since(before)
        assert since.in_msgs >= 10
        assert since.in_bytes >= 50
        await speaker.close()
        await listener.close()

    asyncio.run(scenario())


def test_after_the_server_was_away_rooms_are_heard_again(server: NatsServer) -> None:
    async def scenario() -> None:
        heard: list[Delivery] = []
        speaker, listener = await opened(server, 0, []), await opened(server, 1, heard)
        await listener.join("stage")
        server.child.kill()
        await asyncio.to_thread(server.finish)
        async with asyncio.timeout(30):
            while not heard:
                try:
                    await speaker.publish("stage", b"again")
                except Refused:
                    await asyncio.sleep(0.05)
        assert heard[0] == Delivery("stage", b"again")
        await speaker.close()
        await listener.close()

    asyncio.run(scenario())
