"""Arbitrary bytes neither end the gateway's process nor disturb other members."""

from __future__ import annotations

import asyncio
import os
import socket
import struct

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from harness.services.fleet import Fleet
from tests.harness.gateway.test_session import gateway, hear, member, say

__all__ = ["gateway"]  # a fixture

EXAMPLES, INPUTS = 400, 30  # 12,000 inputs; a connection for each example, and a new one where it was closed
KEYS = st.sampled_from(["t", "room", "id", "text", "sent", "from", "code", ""])
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=30),
    st.sampled_from(["join", "leave", "say", "calm", "ack", "x" * 5000]),
)
JSON = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=5), max_leaves=8
)
ALMOST_FRAMES = st.fixed_dictionaries(
    {"t": st.sampled_from(["join", "leave", "say"]) | JSON},
    optional={"room": JSON, "id": JSON, "text": JSON, "sent": JSON},
)
TEXTS = st.one_of(
    st.text(max_size=60),
    ALMOST_FRAMES.map(lambda frame: msgspec.json.encode(frame).decode()),
    JSON.map(lambda anything: msgspec.json.encode(anything).decode()),
    st.integers(1, 3000).map(lambda depth: "[" * depth),
    st.integers(1, 3000).map(lambda depth: '{"t":' * depth),
)
INPUT = st.one_of(TEXTS, TEXTS, TEXTS, st.binary(max_size=60))
count = 0


async def throw(url: str, inputs: list[str | bytes]) -> None:
    connection: ClientConnection | None = None
    for each in inputs:
        if connection is None:
            connection = await connect(url, compression=None, max_size=None, close_timeout=0.1)
        try:
            await connection.send(each)
            await asyncio.wait_for(connection.recv(), 0.003)
        except TimeoutError:
            pass
        except ConnectionClosed:
            connection = None
    if connection is not None:
        connection.transport.abort()


async def is_undisturbed(bystander: ClientConnection) -> bool:
    await say(bystander, {"t": "say", "room": "quiet corner", "id": 1, "text": "still here"})
    return {(await hear(bystander))["t"], (await hear(bystander))["t"]} == {"ack", "chat"}


@pytest.mark.slow
def test_no_frame_ends_the_process_or_disturbs_other_members(gateway: Fleet) -> None:
    pid = gateway.children[0].pid

    async def scenario() -> None:
        async with member(gateway, "quiet corner") as bystander:
            loop = asyncio.get_running_loop()

            @settings(max_examples=EXAMPLES, suppress_health_check=list(HealthCheck), database=None)
            @given(st.lists(INPUT, min_size=INPUTS, max_size=INPUTS))
            def fuzz(inputs: list[str | bytes]) -> None:
                global count  # noqa: PLW0603 - proves how much was thrown
                count += len(inputs)
                asyncio.run_coroutine_threadsafe(throw(gateway.urls[0], inputs), loop).result(60)
                assert asyncio.run_coroutine_threadsafe(is_undisturbed(bystander), loop).result(60)

            await asyncio.to_thread(fuzz)

    asyncio.run(scenario())
    assert count >= 10_000
    assert gateway.children[0].is_running
    assert gateway.children[0].pid == pid
    assert "Traceback" not in gateway.children[0].log.read_text()


HANDSHAKE = (
    b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


@pytest.mark.slow
@pytest.mark.parametrize("opened", [False, True], ids=["instead of a handshake", "after one"])
def test_no_bytes_do_either(gateway: Fleet, opened: bool) -> None:
    port = int(gateway.urls[0].rpartition(":")[2])
    # Reserved bits and opcodes, lengths that lie, masks that are missing: what no library would send.
    heads = [bytes([first, second]) for first in range(0, 256, 7) for second in (0, 5, 126, 127, 128, 133, 254, 255)]

    def throw_bytes(data: bytes) -> None:
        with socket.create_connection(("127.0.0.1", port), timeout=10) as raw:
            if opened:
                raw.sendall(HANDSHAKE)
                assert raw.recv(4096).startswith(b"HTTP/1.1 101")
            raw.sendall(data)
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # and gone, with a reset

    for number, head in enumerate(heads):
        throw_bytes(head + os.urandom(number % 40))
    throw_bytes(b"GET " + b"/" * 20_000)
    throw_bytes(b"\r\n" * 10_000)

    async def others_talk() -> None:
        async with member(gateway, "quiet corner") as bystander:
            assert await is_undisturbed(bystander)

    asyncio.run(others_talk())
    assert gateway.children[0].is_running
