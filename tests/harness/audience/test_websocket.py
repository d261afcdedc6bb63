"""A connection to the websockets library's own server, and the splitting of bytes into frames."""

from __future__ import annotations

import asyncio
import itertools
import socket
from collections.abc import Awaitable, Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import InvalidHandshake
from websockets.frames import Frame, Opcode

from harness.audience.websocket import FRAME_MAX_BYTES, BadFrame, Connection, split_frames
from harness.services.ports import free_ports


def frame_of(text: bytes) -> bytes:
    return Frame(Opcode.TEXT, text).serialize(mask=False)


@given(st.lists(st.binary(max_size=200) | st.just(b"x" * 70_000), max_size=5), st.data())
def test_frames_are_found_however_the_bytes_are_cut(texts: list[bytes], data: st.DataObject) -> None:
    stream = b"".join(map(frame_of, texts))
    cut = data.draw(st.integers(0, len(stream)))
    frames, rest = split_frames(stream[:cut])
    whole = list(itertools.takewhile(lambda end: end <= cut, itertools.accumulate(len(frame_of(t)) for t in texts)))
    assert [end for _start, _payload, end in frames] == whole
    assert rest == (whole[-1] if whole else 0)
    assert [stream[payload:end] for _start, payload, end in frames] == texts[: len(whole)]


@pytest.mark.parametrize(
    "bad",
    [b"\x81\x81mask?", b"\x81\x7f" + (FRAME_MAX_BYTES + 1).to_bytes(8, "big")],
    ids=["masked", "too long"],
)
def test_a_masked_or_oversized_frame_is_refused(bad: bytes) -> None:
    with pytest.raises(BadFrame):
        split_frames(bad)


class Listener:
    """Notes what a connection tells, and knows bytes it has been told of."""

    def __init__(self, url: str) -> None:
        self.known: dict[bytes, int] = {}
        self.texts: list[bytes] = []
        self.closed: list[tuple[str, int | None]] = []
        self.connection = Connection(url, self.knows, self.hear, lambda why, code: self.closed.append((why, code)))

    def knows(self, data: bytes) -> bool:
        if data in self.known:
            self.known[data] += 1
            return True
        return False

    def hear(self, frames: list[bytes], texts: list[bytes]) -> None:
        assert list(map(frame_of, texts)) == frames
        self.texts += texts


def against(
    serve_one: Callable[[ServerConnection], Awaitable[None]], then: Callable[[Listener], Awaitable[None]]
) -> None:
    async def run() -> None:
        (port,) = free_ports(1)
        async with serve(serve_one, "127.0.0.1", port, compression=None):
            listener = Listener(f"ws://127.0.0.1:{port}")
            await then(listener)
            listener.connection.close()

    asyncio.run(run())


async def until(met: Callable[[], object]) -> None:
    async with asyncio.timeout(5):
        while not met():  # noqa: ASYNC110 - what is waited for has no event
            await asyncio.sleep(0.01)


async def echo(member: ServerConnection) -> None:
    async for text in member:
        await member.send(text)


def test_sent_text_comes_back_and_known_bytes_are_not_split_into_frames() -> None:
    async def talk(listener: Listener) -> None:
        await listener.connection.connect(5)
        assert listener.connection.is_open
        listener.known[frame_of("grüße".encode())] = 0
        for text in ("first", "grüße", "x" * 100_000):
            listener.connection.send(text.encode())
            await asyncio.sleep(0.05)
        await until(lambda: len(listener.texts) == 2)
        assert listener.texts == [b"first", b"x" * 100_000]
        assert list(listener.known.values()) == [1]

    against(echo, talk)


def test_a_ping_between_messages_is_answered_and_loses_nothing() -> None:
    async def ping(member: ServerConnection) -> None:
        await member.send("before")
        await (await member.ping())
        await member.send("after the pong")
        await member.wait_closed()

    async def listen(listener: Listener) -> None:
        await listener.connection.connect(5)
        await until(lambda: listener.texts == [b"before", b"after the pong"])

    against(ping, listen)


def test_the_gateways_close_code_and_reason_are_reported() -> None:
    async def close(member: ServerConnection) -> None:
        await member.close(1013, "too slow")

    async def listen(listener: Listener) -> None:
        await listener.connection.connect(5)
        await until(lambda: listener.closed)
        assert listener.closed == [("closed with 1013: too slow", 1013)]
        assert not listener.connection.is_open

    against(close, listen)


def test_closed_is_called_when_the_gateway_hangs_up_but_not_after_close() -> None:
    async def hang_up(member: ServerConnection) -> None:
        member.transport.abort()

    async def listen(listener: Listener) -> None:
        await listener.connection.connect(5)
        await until(lambda: listener.closed)
        assert listener.closed == [("the gateway dropped the connection", None)]

    async def leave(listener: Listener) -> None:
        await listener.connection.connect(5)
        listener.connection.close()
        await asyncio.sleep(0.1)
        assert listener.closed == []

    against(hang_up, listen)
    against(echo, leave)


def test_a_fragmented_message_ends_the_connection_with_a_reason() -> None:
    async def fragment(member: ServerConnection) -> None:
        await member.send(["one ", "message"])
        await member.wait_closed()

    async def listen(listener: Listener) -> None:
        await listener.connection.connect(5)
        await until(lambda: listener.closed)
        assert listener.texts == []

    against(fragment, listen)


def test_connecting_to_a_server_without_websockets_is_an_error() -> None:
    async def run() -> None:
        async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno")
            await writer.drain()
            writer.close()

        (port,) = free_ports(1)
        async with await asyncio.start_server(refuse, "127.0.0.1", port):
            with pytest.raises(InvalidHandshake):
                await Listener(f"ws://127.0.0.1:{port}").connection.connect(5)
        with pytest.raises(ConnectionRefusedError):
            await Listener(f"ws://127.0.0.1:{port}").connection.connect(5)

    asyncio.run(run())


def test_a_slow_reader_reads_slowly() -> None:
    async def pour(member: ServerConnection) -> None:
        for _ in range(100):
            await member.send("x" * 1000)
        await member.wait_closed()

    async def listen(listener: Listener) -> None:
        await listener.connection.connect(5, read_bytes_per_s=20_000)
        await asyncio.sleep(1)
        assert 2 <= len(listener.texts) <= 40  # 20 of the 100, and what was read before it slowed down

    against(pour, listen)


def test_a_connection_may_come_from_another_address_of_this_host() -> None:
    async def tell_address(member: ServerConnection) -> None:
        await member.send(member.remote_address[0])
        await member.wait_closed()

    async def listen(listener: Listener) -> None:
        await listener.connection.connect(5, local_host="127.0.0.3")
        await until(lambda: listener.texts == [b"127.0.0.3"])

    against(tell_address, listen)


NO_FAMILY = 1 << 20


class Resolves:
    """Stands in for the name service: a name with these addresses, in this order, after one of an unknown family."""

    def __init__(self, *addresses: tuple[str, int]) -> None:
        self._addresses = addresses

    async def getaddrinfo(self, _host: str, _port: int, **_: object) -> list[tuple[object, ...]]:
        families = [socket.AF_INET6 if ":" in host else socket.AF_INET for host, _ in self._addresses]
        return [
            # As of an IPv6 address on a kernel without IPv6: no socket of that family can be made.
            (NO_FAMILY, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", ("fd00::1", 9)),
            *(
                (family, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", address)
                for family, address in zip(families, self._addresses, strict=True)
            ),
        ]


@pytest.mark.parametrize("read_bytes_per_s", [None, 1000.0], ids=["as fast as it comes", "slowly"])
def test_each_address_of_a_name_is_tried(read_bytes_per_s: float | None, monkeypatch: pytest.MonkeyPatch) -> None:
    async def serve_one(server: ServerConnection) -> None:
        await server.send("welcome")
        await server.wait_closed()

    async def run() -> None:
        port, nobody = free_ports(2)
        names = Resolves(("::1", nobody), ("127.0.0.1", nobody), ("127.0.0.1", port))
        monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", names.getaddrinfo)
        async with serve(serve_one, "127.0.0.1", port, compression=None):
            listener = Listener(f"ws://gateway.example:{port}")
            await listener.connection.connect(5, read_bytes_per_s=read_bytes_per_s)
            await until(lambda: listener.texts == [b"welcome"])
            listener.connection.close()

    asyncio.run(run())


def test_if_no_address_answers_each_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    async def run() -> None:
        (nobody,) = free_ports(1)
        names = Resolves(("127.0.0.1", nobody), ("127.0.0.2", nobody))
        monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", names.getaddrinfo)
        listener = Listener(f"ws://gateway.example:{nobody}")
        with pytest.raises(ConnectionError, match=r"no address of gateway\.example .*127\.0\.0\.1.*127\.0\.0\.2"):
            await listener.connection.connect(5)

    asyncio.run(run())
