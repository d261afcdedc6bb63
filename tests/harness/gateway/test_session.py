"""The wire protocol, spoken to a real gateway process; `direct` needs no broker."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from architectures.interface import Services, Topology
from harness.core.errors import ServiceFailed
from harness.gateway.settings import total
from harness.services.fleet import Fleet, FleetOptions
from harness.services.ports import free_ports

ANSWER_S = 10.0


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    fleet = Fleet("direct", Services(), Topology(run_id="test", gateways=1), tmp_path_factory.mktemp("logs"))
    fleet.start()
    try:
        fleet.wait_ready()
        yield fleet
    finally:
        fleet.stop()


@asynccontextmanager
async def member(gateway: Fleet, *rooms: str) -> AsyncIterator[ClientConnection]:
    async with connect(gateway.urls[0], compression=None, max_size=None, close_timeout=0.5) as connection:
        for room in rooms:
            await say(connection, {"t": "join", "room": room})
            assert await hear(connection) == {"t": "joined", "room": room}
        yield connection


async def say(connection: ClientConnection, frame: dict[str, Any]) -> None:
    await connection.send(msgspec.json.encode(frame).decode())


async def hear(connection: ClientConnection) -> dict[str, Any]:
    async with asyncio.timeout(ANSWER_S):
        return dict(msgspec.json.decode(await connection.recv()))


async def closed_with(connection: ClientConnection) -> int:
    """The code the gateway closes with, after whatever it says before."""

    async def read_to_the_end() -> None:
        while True:
            await connection.recv()

    async with asyncio.timeout(ANSWER_S):
        with pytest.raises(ConnectionClosed) as closed:
            await read_to_the_end()
    assert closed.value.rcvd is not None
    return closed.value.rcvd.code


def test_a_message_reaches_every_member_of_its_room_and_its_sender_gets_an_ack(gateway: Fleet) -> None:
    async def scenario() -> None:
        async with member(gateway, "a") as speaker, member(gateway, "a") as listener, member(gateway, "b") as other:
            await say(speaker, {"t": "say", "room": "a", "id": 7, "text": "häl\u0000lo 🦆", "sent": 123})
            frames = [await hear(speaker), await hear(speaker)]
            chat = next(frame for frame in frames if frame["t"] == "chat")
            assert {"t": "ack", "id": 7} in frames
            assert (chat["room"], chat["id"], chat["sent"], chat["text"]) == ("a", 7, 123, "häl\u0000lo 🦆")
            assert await hear(listener) == chat
            await say(other, {"t": "say", "room": "b", "id": 8, "text": ""})
            assert {(await hear(other))["t"], (await hear(other))["t"]} == {"ack", "chat"}  # and nothing of room a

    asyncio.run(scenario())


def test_after_leaving_nothing_more_is_heard(gateway: Fleet) -> None:
    async def scenario() -> None:
        async with member(gateway, "l") as speaker, member(gateway, "l", "still-here") as leaver:
            await say(leaver, {"t": "leave", "room": "l"})
            await say(leaver, {"t": "say", "room": "still-here", "id": 1, "text": "the leave was read"})
            assert {(await hear(leaver))["t"], (await hear(leaver))["t"]} == {"ack", "chat"}
            await say(speaker, {"t": "say", "room": "l", "id": 2, "text": "gone?"})
            assert {(await hear(speaker))["t"], (await hear(speaker))["t"]} == {"ack", "chat"}
            await say(leaver, {"t": "join", "room": "m"})
            assert await hear(leaver) == {"t": "joined", "room": "m"}

    asyncio.run(scenario())


def test_who_has_not_joined_cannot_speak_and_is_told_so(gateway: Fleet) -> None:
    async def scenario() -> None:
        async with member(gateway) as stranger:
            await say(stranger, {"t": "say", "room": "private", "id": 3, "text": "x"})
            answer = await hear(stranger)
            assert (answer["t"], answer["code"], answer["id"]) == ("error", "not_joined", 3)

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        ("{", 1007),
        ('{"t":"sing","room":"a"}', 1007),
        ('{"t":"join","room":"' + "x" * 201 + '"}', 1007),
        ("[" * 5000, 1007),
        (b"\x00\x01", 1003),
        ('{"t":"say","room":"a","id":1,"text":"' + "x" * 200_000 + '"}', 1009),
    ],
    ids=["no json", "unknown type", "long room", "deep nesting", "binary", "too big"],
)
def test_a_bad_frame_closes_its_own_connection_and_no_other(gateway: Fleet, frame: str | bytes, code: int) -> None:
    async def scenario() -> None:
        async with member(gateway, "calm") as bystander:
            async with member(gateway, "calm") as bad:
                await bad.send(frame)
                assert await closed_with(bad) == code
            await say(bystander, {"t": "say", "room": "calm", "id": 1, "text": "still here"})
            assert {(await hear(bystander))["t"], (await hear(bystander))["t"]} == {"ack", "chat"}

    asyncio.run(scenario())


def test_more_rooms_than_allowed_closes_with_a_named_error(gateway: Fleet) -> None:
    async def scenario() -> None:
        async with member(gateway, *(f"room-{number}" for number in range(100))) as greedy:
            await say(greedy, {"t": "join", "room": "one-more"})
            answer = await hear(greedy)
            assert (answer["t"], answer["code"]) == ("error", "too_many_rooms")
            assert await closed_with(greedy) == 1008

    asyncio.run(scenario())


def test_a_member_who_never_reads_is_cut_off_and_counted_and_the_others_hear_on(gateway: Fleet) -> None:
    async def scenario() -> None:
        async with (
            member(gateway, "flood") as deaf,
            member(gateway, "flood") as one,
            member(gateway, "flood") as two,
            member(gateway, "flood") as three,
        ):
            deaf.transport.pause_reading()
            before = total(gateway.stats().values()).counts.get("cut_off_slow", 0)
            speakers = (one, two, three)  # in turn: alone, one would pass what a member may send
            for number in range(400):  # 40 MB, five times the bound on unread bytes
                speaker = speakers[number % 3]
                await say(speaker, {"t": "say", "room": "flood", "id": number, "text": "x" * 100_000})
                assert (await hear(speaker))["t"] in {"ack", "chat"}
                assert {(await hear(each))["t"] for each in speakers} <= {"ack", "chat"}
                if total(gateway.stats().values()).counts.get("cut_off_slow", 0) > before:
                    return
            raise AssertionError("the member who never reads was not cut off")

    asyncio.run(scenario())


def test_every_drop_is_counted_by_its_cause(gateway: Fleet) -> None:
    counts = total(gateway.stats().values()).counts
    expected = {
        *("said", "acked", "refused_not_joined", "closed_bad_frame", "closed_binary_frame"),
        *("closed_too_many_rooms", "closed_message_too_big", "cut_off_slow"),
    }
    assert set(counts) >= expected


def test_a_gateway_that_cannot_start_says_why_in_one_sentence(tmp_path: Path) -> None:
    (port,) = free_ports(1)
    fleet = Fleet("direct", Services(), Topology(run_id="test", gateways=1), tmp_path, FleetOptions(port=port))
    twin = Fleet("direct", Services(), Topology(run_id="test", gateways=1), tmp_path, FleetOptions(port=port))
    try:
        fleet.start()
        fleet.wait_ready()
        twin.start()
        twin.children[0].process.wait(ANSWER_S)
        with pytest.raises(ServiceFailed, match="a port is in use"):
            twin.check()
    finally:
        twin.stop()
        fleet.stop()
