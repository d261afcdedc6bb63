"""The frames that members of a room are sent, and the number of writes."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.asyncio.server import ServerConnection
from websockets.protocol import State

from architectures.interface import Delivery
from harness.gateway.frames import framed
from harness.gateway.rooms import WAITING_MAX_BYTES, Rooms

NEVER_S = 1000.0  # a tick that no test waits for


class Socket:
    """Stands in for a member's connection: keeps what is written."""

    def __init__(self) -> None:
        self.state = State.OPEN
        self.transport = self.protocol = self
        self.writes: list[bytes] = []

    def write(self, data: bytes) -> None:
        self.writes.append(data)

    def abort(self) -> None:
        self.state = State.CLOSED

    @property
    def connection(self) -> ServerConnection:
        return cast(ServerConnection, self)


def busy_room(tick_s: float) -> tuple[Rooms, Socket]:
    """With one member, who has just been written to."""
    rooms, socket = Rooms(tick_s), Socket()
    rooms.add("r", socket.connection)
    rooms.deliver([Delivery("r", b"first")])
    assert socket.writes == [framed(b"first")]  # the room was quiet
    return rooms, socket


def test_without_a_tick_each_batch_is_written_at_once() -> None:
    rooms, socket = busy_room(0.0)
    rooms.deliver([Delivery("r", b"a"), Delivery("r", b"b")])
    rooms.deliver([Delivery("r", b"c")])
    assert socket.writes[1:] == [framed(b"a") + framed(b"b"), framed(b"c")]
    assert (rooms.frames_out, rooms.writes) == (4, 3)


def test_what_comes_within_a_tick_goes_out_in_one_write_when_it_is_over() -> None:
    async def scenario() -> list[bytes]:
        rooms, socket = busy_room(0.02)
        rooms.deliver([Delivery("r", b"a")])
        rooms.deliver([Delivery("r", b"b")])
        assert len(socket.writes) == 1
        async with asyncio.timeout(10):
            while len(socket.writes) == 1:  # noqa: ASYNC110 - nothing tells of a write
                await asyncio.sleep(0.001)
        return socket.writes[1:]

    assert asyncio.run(scenario()) == [framed(b"a") + framed(b"b")]


def test_very_much_does_not_wait_for_the_tick() -> None:
    async def scenario() -> None:
        rooms, socket = busy_room(NEVER_S)
        rooms.deliver([Delivery("r", b"x" * WAITING_MAX_BYTES)])
        assert len(socket.writes) == 2

    asyncio.run(scenario())


def test_nothing_follows_the_close_frame_of_who_is_silenced_and_others_go_on() -> None:
    rooms, socket = busy_room(0.0)
    other = Socket()
    rooms.add("r", other.connection)
    rooms.silence("r", socket.connection)
    rooms.silence("r", Socket().connection)  # who is not in the room
    rooms.silence("nowhere", socket.connection)
    rooms.deliver([Delivery("r", b"late")])
    assert (len(socket.writes), other.writes) == (1, [framed(b"late")])
    assert not rooms.discard("r", socket.connection), "it was still in the room"


def test_who_joins_while_its_connection_closes_is_written_nothing() -> None:
    rooms, socket = Rooms(0.0), Socket()
    socket.state = State.CLOSING
    assert rooms.add("r", socket.connection)
    rooms.deliver([Delivery("r", b"late")])
    assert socket.writes == []


def test_at_the_end_everybody_gets_what_waits_and_nothing_more() -> None:
    async def scenario() -> None:
        rooms, socket = busy_room(NEVER_S)
        rooms.deliver([Delivery("r", b"last")])
        rooms.end()
        rooms.deliver([Delivery("r", b"too late")])
        assert socket.writes[1:] == [framed(b"last")]
        assert not rooms.discard("r", socket.connection)

    asyncio.run(scenario())


def test_a_member_whose_transport_just_closed_keeps_nothing_from_the_others() -> None:
    class Closed(Socket):
        def write(self, data: bytes) -> None:
            raise RuntimeError("the handler is closed")

    rooms, socket = Rooms(0.0), Socket()
    rooms.add("r", Closed().connection)
    rooms.add("r", socket.connection)
    rooms.deliver([Delivery("r", b"x")])
    assert socket.writes == [framed(b"x")]
    assert (rooms.frames_out, rooms.writes) == (1, 1)


def test_a_delivery_for_a_room_without_members_is_wasted() -> None:
    rooms = Rooms(0.0)
    rooms.deliver([Delivery("nobody", b"x")])
    assert (rooms.wasted, rooms.frames_out) == (1, 0)


def test_whoever_is_sent_away_has_got_everything() -> None:
    async def scenario() -> None:
        rooms, socket = busy_room(NEVER_S)
        rooms.deliver([Delivery("r", b"last")])
        assert rooms.remove("r") == [socket.connection]
        assert socket.writes[1:] == [framed(b"last")]

    asyncio.run(scenario())


STEPS = st.one_of(
    st.tuples(st.just("say"), st.sampled_from("rs")),
    st.tuples(st.just("join"), st.integers(0, 3), st.sampled_from("rs")),
    st.tuples(st.just("leave"), st.integers(0, 3), st.sampled_from("rs")),
    st.tuples(st.just("tick")),
)


@pytest.mark.parametrize("tick_s", [0.0, NEVER_S])
@given(steps=st.lists(STEPS, max_size=40))
def test_everybody_gets_what_was_said_while_they_were_in_and_nothing_else(
    tick_s: float, steps: list[tuple[Any, ...]]
) -> None:
    async def scenario() -> None:
        rooms = Rooms(tick_s)
        sockets = [Socket() for _ in range(4)]
        members: dict[str, set[int]] = {"r": set(), "s": set()}
        owed: list[list[bytes]] = [[] for _ in sockets]
        for number, (what, *where) in enumerate(steps):
            match what, where:
                case "say", [str(room)]:
                    rooms.deliver([Delivery(room, b"%d" % number)])
                    for member in members[room]:
                        owed[member].append(framed(b"%d" % number))
                case "join", [int(member), str(room)] if member not in members[room]:
                    assert rooms.add(room, sockets[member].connection) == (not members[room])
                    members[room].add(member)
                case "leave", [int(member), str(room)]:
                    was_last = members[room] == {member}
                    assert rooms.discard(room, sockets[member].connection) == was_last
                    members[room].discard(member)
                case "tick", _:
                    rooms.write_all()
        rooms.write_all()
        for member, socket in enumerate(sockets):
            # Within a room in order; what two rooms get may overtake each other while it waits.
            assert sorted(b"".join(socket.writes).split(b"\x81")) == sorted(b"".join(owed[member]).split(b"\x81"))
            for room in "rs":
                said = [framed(b"%d" % n) for n, step in enumerate(steps) if step[0] == "say" and step[1] == room]
                heard = [frame for frame in said if frame in owed[member]]
                places = [b"".join(socket.writes).index(frame) for frame in heard]
                assert places == sorted(places)

    asyncio.run(scenario())


def test_who_catches_up_gets_the_past_first_and_then_what_was_held() -> None:
    rooms, other = busy_room(0.0)
    socket = Socket()
    rooms.add("r", socket.connection)
    rooms.hold("r", socket.connection, 1000)
    rooms.deliver([Delivery("r", b"known to history")])
    rooms.hold("r", socket.connection, 1000)  # from here on it is not
    rooms.deliver([Delivery("r", b"meanwhile")])
    assert socket.writes == []
    rooms.release("r", socket.connection, b"past")
    rooms.deliver([Delivery("r", b"now")])
    assert socket.writes == [b"past" + framed(b"meanwhile"), framed(b"now")]
    assert other.writes[1:] == [framed(b"known to history"), framed(b"meanwhile"), framed(b"now")]


def test_who_left_or_is_being_closed_while_catching_up_gets_nothing() -> None:
    rooms, _other = busy_room(0.0)
    gone, closing = Socket(), Socket()
    for socket in (gone, closing):
        rooms.add("r", socket.connection)
        rooms.hold("r", socket.connection, 1000)
    rooms.discard("r", gone.connection)
    rooms.silence("r", closing.connection)
    for socket in (gone, closing):
        rooms.release("r", socket.connection, b"past")
    assert gone.writes == closing.writes == []


def test_who_is_held_for_too_long_is_cut_off() -> None:
    rooms, _other = busy_room(0.0)
    socket = Socket()
    rooms.add("r", socket.connection)
    rooms.hold("r", socket.connection, 10)
    rooms.deliver([Delivery("r", b"x" * 20)])
    rooms.release("r", socket.connection, b"past")
    assert (socket.writes, socket.state) == ([], State.CLOSED)
