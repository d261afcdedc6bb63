"""Socket.IO's packets, against a server that sends what the protocol's description says.

That real servers of Socket.IO do as well is seen in tests/real/test_peers.py.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from websockets.asyncio.server import ServerConnection, serve

from harness.audience.socketio import SocketIoConnection, connection_to
from harness.audience.websocket import Connection
from harness.services.ports import free_ports


class Member:
    """Notes what a connection tells; knows no bytes."""

    def __init__(self, url: str) -> None:
        self.texts: list[bytes] = []
        self.closed: asyncio.Queue[str] = asyncio.Queue()
        self.connection = connection_to(url, lambda _data: False, self.hear, self.note_closed)

    def hear(self, frames: list[bytes], texts: list[bytes]) -> None:
        assert len(frames) == len(texts)
        self.texts += texts

    def note_closed(self, why: str, _code: int | None) -> None:
        self.closed.put_nowait(why)


def against(
    serve_one: Callable[[ServerConnection], Awaitable[None]], then: Callable[[Member], Awaitable[None]]
) -> None:
    async def run() -> None:
        (port,) = free_ports(1)
        async with serve(serve_one, "127.0.0.1", port, compression=None):
            member = Member(f"socket.io://127.0.0.1:{port}")
            await then(member)
            member.connection.close()

    asyncio.run(run())


async def greet(server: ServerConnection) -> None:
    assert server.request is not None
    assert server.request.path == "/socket.io/?EIO=4&transport=websocket"
    await server.send('0{"sid":"a","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}')
    assert await server.recv() == "40"
    await server.send('40{"sid":"b"}')


def test_the_scheme_of_the_address_selects_the_protocol() -> None:
    def speaks(url: str) -> type[Connection]:
        return type(connection_to(url, lambda _data: False, lambda _frames, _texts: None, lambda _why, _code: None))

    assert speaks("ws://127.0.0.1:1") is Connection
    assert speaks("socket.io://127.0.0.1:1") is SocketIoConnection


def test_frames_are_events_both_ways_and_a_ping_among_them_is_answered() -> None:
    async def echo(server: ServerConnection) -> None:
        await greet(server)
        said = await server.recv()
        await server.send("2")
        await server.send(said)
        assert await server.recv() == "3"
        await server.send('42["frame",{"t":"joined","room":"grüße"}]')
        await server.wait_closed()

    async def talk(member: Member) -> None:
        await member.connection.connect(5)
        member.connection.send(b'{"t":"join","room":"a"}')
        async with asyncio.timeout(5):
            while len(member.texts) < 2:  # noqa: ASYNC110 - what is waited for has no event
                await asyncio.sleep(0.01)
        assert member.texts == [b'{"t":"join","room":"a"}', '{"t":"joined","room":"grüße"}'.encode()]

    against(echo, talk)


@pytest.mark.parametrize(
    ("packet", "says"),
    [('44{"message":"no"}', "did not let the member in"), ("41", "not expected here"), ("x", "not expected here")],
)
def test_an_unexpected_packet_ends_the_connection(packet: str, says: str) -> None:
    async def disturb(server: ServerConnection) -> None:
        await greet(server)
        await server.send(packet)
        await server.wait_closed()
        assert says in str(server.close_reason)

    async def listen(member: Member) -> None:
        await member.connection.connect(5)
        async with asyncio.timeout(5):
            await member.closed.get()
        assert member.texts == []

    against(disturb, listen)


def test_a_server_that_hangs_up_before_the_member_is_connected_is_reported_at_once() -> None:
    async def hang_up(server: ServerConnection) -> None:
        server.transport.abort()

    async def try_it(member: Member) -> None:
        with pytest.raises(ConnectionError):
            await member.connection.connect(5)

    against(hang_up, try_it)
