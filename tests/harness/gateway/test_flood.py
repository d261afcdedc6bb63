"""A member that floods with any kind of frame is closed with 1008, and the others' chat goes on."""

from __future__ import annotations

import asyncio
import contextlib

import msgspec
import pytest
from websockets.frames import Frame, Opcode

from harness.gateway.member_connection import REASON_MAX_BYTES, cut_to_bytes
from harness.gateway.settings import total
from harness.services.fleet import Fleet
from tests.harness.gateway.test_session import closed_with, gateway, hear, member, say

__all__ = ["gateway"]  # a fixture

FLOOD_S = 2.0
SAYINGS = 20  # of the bystanders, meanwhile


UPGRADE = (
    b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


def frame(opcode: Opcode, payload: bytes, *, fin: bool = True) -> bytes:
    return Frame(opcode, payload, fin).serialize(mask=True)


def text(said: dict[str, object]) -> bytes:
    return frame(Opcode.TEXT, msgspec.json.encode(said))


# What is sent over and over, as fast as the gateway takes it.
FLOODS = {
    "pings": frame(Opcode.PING, b""),
    "pings with a payload": frame(Opcode.PING, b"x" * 125),
    "pongs": frame(Opcode.PONG, b""),
    "fragments": frame(Opcode.TEXT, b'{"t":"leave",', fin=False) + frame(Opcode.CONT, b'"room":"none"}'),
    "says to a room of its own": text({"t": "say", "room": "flood", "id": 1, "text": "x"}),
    "says to no room": text({"t": "say", "room": "none", "id": 1, "text": "x"}),
    "long says": text({"t": "say", "room": "flood", "id": 1, "text": "x" * 100_000}),
    "leaves": text({"t": "leave", "room": "none"}),
}


async def flood(url: str, first: bytes, frames: bytes) -> None:
    """Send these over and over without reading what comes back, until the gateway ends the connection."""
    host, port = url.removeprefix("ws://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(UPGRADE + first)
    await reader.readuntil(b"\r\n\r\n")
    many = frames * max(1, 65536 // len(frames))
    with contextlib.suppress(ConnectionError):
        while True:
            writer.write(many)
            await writer.drain()
            await asyncio.sleep(0)


def ended(gateway: Fleet) -> int:
    """How many were closed for too many frames, or, before that, for not reading what came of them."""
    counts = total(gateway.stats().values()).counts
    return counts.get("closed_too_many_frames", 0) + counts.get("cut_off_slow", 0)


@pytest.mark.slow
@pytest.mark.parametrize("kind", FLOODS)
def test_a_flood_ends_the_flooder_and_nobody_elses_chat(gateway: Fleet, kind: str) -> None:
    before = ended(gateway)

    async def scenario() -> int:
        async with member(gateway, "talk") as one, member(gateway, "talk") as two:
            join = text({"t": "join", "room": "flood"})
            flooding = asyncio.create_task(flood(gateway.urls[0], join, FLOODS[kind]))
            heard = 0
            async with asyncio.timeout(10):
                for number in range(SAYINGS):
                    await say(one, {"t": "say", "room": "talk", "id": number, "text": "on we talk"})
                    assert {(await hear(one))["t"], (await hear(one))["t"]} == {"ack", "chat"}
                    heard += (await hear(two))["id"] == number
                    await asyncio.sleep(FLOOD_S / SAYINGS)
                await flooding
            return heard

    assert asyncio.run(scenario()) == SAYINGS
    assert ended(gateway) == before + 1


def test_who_breaks_the_protocol_and_floods_on_is_gone_soon(gateway: Fleet) -> None:
    async def scenario() -> None:
        async with asyncio.timeout(10):
            await flood(gateway.urls[0], b"", frame(Opcode.CONT, b"a fragment of nothing"))

    asyncio.run(scenario())


def test_who_passes_the_budget_is_told_so_with_1008(gateway: Fleet) -> None:
    async def scenario() -> int:
        async with member(gateway, "flood") as flooder:
            flooder.transport.write(FLOODS["pongs"] * 5000)
            return await closed_with(flooder)

    assert asyncio.run(scenario()) == 1008


def test_a_reason_is_cut_in_bytes_and_between_characters() -> None:
    assert cut_to_bytes("가" * 100, REASON_MAX_BYTES) == "가" * 41
    assert cut_to_bytes("short", REASON_MAX_BYTES) == "short"
    assert cut_to_bytes("\ud800", REASON_MAX_BYTES) == "?"  # half a surrogate pair, which JSON may hold


@pytest.mark.slow
def test_a_frame_of_an_unknown_kind_with_a_long_name_is_closed_and_told_about_in_few_bytes(gateway: Fleet) -> None:
    async def scenario() -> tuple[int, int]:
        async with member(gateway) as stranger:
            await stranger.send('{"t":"' + "가" * 20_000 + '"}')
            error = await hear(stranger)
            return len(error["reason"].encode()), await closed_with(stranger)

    told_bytes, code = asyncio.run(scenario())
    assert (told_bytes <= 500, code) == (True, 1007)
    log = gateway.children[0].log
    assert "Traceback" not in log.read_text(encoding="utf-8")
