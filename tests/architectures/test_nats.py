"""nats on a real server: the meaning of an ack and of a join, and the loss of the server."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from nats.errors import Error

from architectures.clients.nats import gone_for_good
from architectures.interface import Delivery, GoneForGood, Rejected, Services, Topology
from architectures.nats import Nats
from harness.services.nats.metrics import read_counters
from harness.services.nats.server import NatsServer, find_nats_server, has_nats_server, start_nats
from harness.services.ports import free_ports
from harness.services.processes import spawn, wait_until_listening
from harness.services.proxy import start_proxy

pytestmark = pytest.mark.skipif(not has_nats_server(), reason="there is no nats-server here")


@pytest.fixture
def nats_server(tmp_path: Path) -> Iterator[NatsServer]:
    server = start_nats(tmp_path / "nats.log")
    try:
        server.finish()
        yield server
    finally:
        server.stop()


async def opened(nats_server: NatsServer, gateway: int, heard: list[Delivery]) -> Nats:
    nats = Nats(Services(nats_url=nats_server.url), Topology(run_id="n", gateways=2), gateway)
    await nats.open(heard.extend, lambda problem: pytest.fail(str(problem)), lambda _rooms: None)
    return nats


async def until(heard: list[Delivery], count: int) -> None:
    async with asyncio.timeout(30):
        while len(heard) < count:  # noqa: ASYNC110 - what arrives is only seen by looking
            await asyncio.sleep(0.001)


def test_when_join_returns_the_next_message_arrives_and_an_ack_says_the_server_has_it(nats_server: NatsServer) -> None:
    async def scenario() -> None:
        heard: list[Delivery] = []
        speaker, listener = await opened(nats_server, 0, []), await opened(nats_server, 1, heard)
        for turn in range(300):  # nats-py's own flush fails here now and then
            await listener.join("busy")
            await speaker.publish("busy", b"%d" % turn)
            await until(heard, turn + 1)
            await listener.leave("busy")
        assert heard == [Delivery("busy", b"%d" % turn) for turn in range(300)]
        before = read_counters(nats_server.monitor_port)
        await asyncio.gather(*(speaker.publish("nobody", b"12345") for _ in range(10)))
        since = read_counters(nats_server.monitor_port).since(before)
        assert since.in_msgs >= 10
        assert since.in_bytes >= 50
        await speaker.close()
        await listener.close()

    asyncio.run(scenario())


def test_after_the_server_was_away_rooms_are_heard_again(nats_server: NatsServer) -> None:
    async def scenario() -> None:
        heard: list[Delivery] = []
        speaker, listener = await opened(nats_server, 0, []), await opened(nats_server, 1, heard)
        await listener.join("stage")
        nats_server.child.kill()
        await asyncio.to_thread(nats_server.finish)
        async with asyncio.timeout(30):
            while not heard:
                try:
                    await speaker.publish("stage", b"again")
                except Rejected:
                    await asyncio.sleep(0.05)
        assert heard[0] == Delivery("stage", b"again")
        await speaker.close()
        await listener.close()

    asyncio.run(scenario())


@pytest.fixture
def strict_nats_server(tmp_path: Path) -> Iterator[int]:
    """The port of a server that lets a guest speak and listen in few places, and takes small messages only."""
    (port,) = free_ports(1)
    config = tmp_path / "nats.conf"
    config.write_text(
        f"""
        host: "127.0.0.1", port: {port}, max_payload: 3000
        authorization {{ users = [
          {{ user: mute, password: x, permissions: {{ publish: ["_INBOX.>"], subscribe: [">"] }} }}
          {{ user: deaf, password: x, permissions: {{ publish: [">"], subscribe: ["_INBOX.>"] }} }}
          {{ user: free, password: x }}
        ] }}
        """
    )
    child = spawn("nats", [str(find_nats_server()), "-c", str(config)], tmp_path / "nats.log")
    wait_until_listening(child, port, 15.0)
    yield port
    child.kill()


async def gateway_of(user: str, port: int, problems: list[BaseException], heard: list[Delivery]) -> Nats:
    nats = Nats(Services(nats_url=f"nats://{user}@127.0.0.1:{port}"), Topology(run_id="n", gateways=1), 0)
    await nats.open(heard.extend, problems.append, lambda _rooms: None)
    return nats


def test_who_may_not_speak_is_told_so_and_nothing_is_acked(strict_nats_server: int) -> None:
    problems: list[BaseException] = []

    async def scenario() -> None:
        nats = await gateway_of("mute:x", strict_nats_server, problems, [])
        with pytest.raises(Rejected, match="forbids its user"):
            await nats.publish("room", b"hello")
        await nats.close()

    asyncio.run(scenario())
    assert isinstance(problems[0], GoneForGood)
    assert "permissions violation for publish" in str(problems[0]).lower()


def test_who_may_not_listen_is_told_so_at_once(strict_nats_server: int) -> None:
    problems: list[BaseException] = []

    async def scenario() -> None:
        nats = await gateway_of("deaf:x", strict_nats_server, problems, [])
        await nats.join("room")
        await nats.close()

    asyncio.run(scenario())
    assert isinstance(problems[0], GoneForGood)
    assert "permissions violation for subscription" in str(problems[0]).lower()


def test_who_is_not_let_in_is_told_so_at_once(strict_nats_server: int) -> None:
    async def scenario() -> None:
        async with asyncio.timeout(10):
            with pytest.raises(GoneForGood, match="does not let its user in"):
                await gateway_of("free:wrong", strict_nats_server, [], [])

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("says", "for_good"),
    [
        ("Authorization Violation", True),
        ("User Authentication Expired", True),
        ("User Authentication Revoked", True),
        ("Account Authentication Expired", True),
        ("Authentication Timeout", False),  # of a server that is too busy to let anybody in
        ("Stale Connection", False),
    ],
)
def test_what_the_server_says_of_who_comes_is_for_good_or_may_pass(says: str, for_good: bool) -> None:
    assert isinstance(gone_for_good(Error(f"nats: '{says}'")), GoneForGood) is for_good


def test_one_message_that_is_too_large_is_refused_alone_and_with_the_limit(strict_nats_server: int) -> None:
    async def scenario() -> None:
        heard: list[Delivery] = []
        nats = await gateway_of("free:x", strict_nats_server, [], heard)
        await nats.join("room")
        said = [b"a", b"b" * 5000, b"c"]
        answers = await asyncio.gather(*(nats.publish("room", each) for each in said), return_exceptions=True)
        assert [answer is None for answer in answers] == [True, False, True]
        assert "5,000 bytes, but NATS takes 3,000 at most" in str(answers[1])
        await until(heard, 2)
        assert [delivery.payload for delivery in heard] == [b"a", b"c"]
        await nats.close()

    asyncio.run(scenario())


def test_a_connection_that_was_closed_while_idle_costs_no_message(nats_server: NatsServer, tmp_path: Path) -> None:
    (port,) = free_ports(1)
    proxy = start_proxy("the proxy", [(port, nats_server.port)], tmp_path / "proxy.log")

    async def scenario() -> None:
        nats = Nats(Services(nats_url=f"nats://127.0.0.1:{port}"), Topology(run_id="n", gateways=1), 0)
        await nats.open(lambda _batch: None, lambda problem: pytest.fail(str(problem)), lambda _rooms: None)
        await nats.publish("room", b"before")
        assert await asyncio.to_thread(proxy.reset, os.getpid()) > 0
        await asyncio.sleep(0.05)  # the end of the connection arrives
        await nats.publish("room", b"after")
        await nats.close()

    try:
        asyncio.run(scenario())
    finally:
        proxy.child.kill()
