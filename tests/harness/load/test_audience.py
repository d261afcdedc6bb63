"""The audience's bookkeeping, with frames handed to it as a socket would."""

from __future__ import annotations

import asyncio
import time
from typing import Any, cast

import msgspec

from harness import wire
from harness.load import messages as msg
from harness.load.audience import REDIRECTS_MAX, Audience, Joining, MemberSocket
from harness.load.ledger import message_id

START_NS = 1_000
BEGIN = msg.BeginPhase(name="measure", start_ns=START_NS, end_ns=1 << 60)


class Told:
    """Stands in for the stream to the driver."""

    def __init__(self) -> None:
        self.messages: list[msg.FromAudience] = []

    def write(self, frame: bytes) -> None:
        self.messages.append(msgspec.msgpack.decode(frame[msg.LENGTH.size :], type=msg.FromAudience))


class Socket:
    """Stands in for a connected WebSocket."""

    is_disconnected = False

    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []

    def send(self, _kind: object, frame: bytes) -> None:
        self.sent.append(msgspec.json.decode(frame))


class Room:
    """Some members in one room, in a phase that has begun."""

    def __init__(self, members: int) -> None:
        self.told = Told()
        self.audience = Audience(cast(Any, self.told))
        self.members = [MemberSocket(self.audience, number, "ws://g") for number in range(members)]
        for member in self.members:
            member.transport = cast(Any, Socket())
            self.audience._sockets[member.number, member.url] = member
            self.join(member)
        self.audience._begin(BEGIN)

    def join(self, member: MemberSocket, room: str = "r") -> None:
        self.audience._joining.setdefault((member.number, room), Joining(START_NS))
        self.audience.heard(member, wire.encode(wire.Joined(room)), START_NS)

    def speak(self, sender: int, sequence: int) -> bytes:
        """Returns the frame the members will hear."""
        identity = message_id(sender, sequence)
        self.audience._speak(msg.Speak(message_id=identity, room="r", intended_ns=START_NS, text="x"))
        return wire.encode(wire.Chat("r", "g0-1", identity, START_NS, "x"))

    @property
    def result(self) -> msg.PhaseResult:
        assert self.audience._phase is not None
        return self.audience._phase.result()


def test_what_everybody_hears_is_delivered() -> None:
    room = Room(3)
    frame = room.speak(0, 0)
    for member in room.members:
        room.audience.heard(member, frame, START_NS + 5)
    room.audience.heard(room.members[0], wire.encode(wire.Ack(message_id(0, 0))), START_NS + 6)
    room.audience.heard(room.members[0], wire.encode(wire.Ack(message_id(0, 0))), START_NS + 7)
    verdict = room.result.verdict
    assert (verdict.sent, verdict.acked, verdict.expected, verdict.delivered) == (1, 1, 3, 3)


def test_the_wire_carries_the_intended_moment() -> None:
    room = Room(1)
    room.speak(0, 0)
    socket = cast(Any, room.members[0].transport)
    assert socket.sent == [{"t": "say", "room": "r", "id": 0, "text": "x", "sent": START_NS}]


def test_a_copy_is_a_duplicate_for_the_member_who_got_it() -> None:
    room = Room(2)
    frame = room.speak(0, 0)
    for member in (room.members[0], room.members[0], room.members[1]):
        room.audience.heard(member, frame, START_NS + 5)
    assert (room.result.verdict.delivered, room.result.verdict.duplicated) == (2, 1)


def test_a_message_of_another_phase_is_a_stray_and_no_delivery() -> None:
    room = Room(2)
    late = room.speak(0, 0)
    room.audience._begin(BEGIN)
    room.audience.heard(room.members[1], late, START_NS + 5)
    assert (room.result.verdict.delivered, room.result.strays) == (0, 1)


def test_a_message_of_a_room_the_member_is_not_in_is_a_stray() -> None:
    room = Room(1)
    outsider = MemberSocket(room.audience, 9, "ws://g")
    room.audience.heard(outsider, room.speak(0, 0), START_NS + 5)
    assert (room.result.verdict.delivered, room.result.strays) == (0, 1)


def test_joining_twice_is_staying_once() -> None:
    room = Room(1)
    room.join(room.members[0])
    room.audience.heard(room.members[0], room.speak(0, 0), START_NS + 5)
    assert (room.result.verdict.expected, room.result.verdict.lost) == (1, 0)


def test_who_is_not_connected_says_nothing_and_it_is_counted() -> None:
    room = Room(2)
    cast(Any, room.members[0].transport).is_disconnected = True
    room.speak(0, 0)
    assert room.result.verdict.sent == 0
    assert room.result.refused == {"not_in_the_room": 1}


def test_a_refused_message_is_counted_by_the_gateways_code() -> None:
    room = Room(1)
    room.speak(0, 0)
    error = wire.encode(wire.Error("not_accepted", "the backend is gone", message_id(0, 0)))
    room.audience.heard(room.members[0], error, START_NS + 5)
    assert room.result.refused == {"not_accepted": 1}
    assert room.result.verdict.acked == 0


def test_a_member_who_is_turned_away_is_told_to_the_driver() -> None:
    room = Room(1)
    room.audience.heard(room.members[0], wire.encode(wire.Error("too_many_rooms", "x")), START_NS)
    assert isinstance(room.told.messages[-1], msg.MemberFailed)


def test_who_leaves_while_still_on_the_way_in_does_not_stay() -> None:
    room = Room(1)
    room.audience._joining[0, "s"] = Joining(START_NS)
    room.audience._exit(msg.Exit(member=0, room="s"))
    room.audience.heard(room.members[0], wire.encode(wire.Joined("s")), START_NS)
    assert "s" not in room.members[0].stays
    assert cast(Any, room.members[0].transport).sent[-1] == {"t": "leave", "room": "s"}


def test_who_is_sent_away_is_owed_nothing_until_it_is_in_again() -> None:
    room = Room(2)
    moved = room.members[1]

    async def redirected() -> None:
        room.audience.heard(moved, wire.encode(wire.Redirect("r", moved.url)), time.time_ns())
        room.speak(0, 0)
        await asyncio.sleep(0.01)  # the audience asks the gateway it was told
        assert cast(Any, moved.transport).sent[-1] == {"t": "join", "room": "r"}
        room.audience.heard(moved, wire.encode(wire.Joined("r")), time.time_ns())

    asyncio.run(redirected())
    room.audience.heard(room.members[0], room.speak(0, 1), time.time_ns())
    verdict = room.result.verdict
    # Both messages are owed to the one who stayed, the second alone to the one who was away.
    assert (verdict.expected, verdict.delivered) == (3, 1)


def test_a_room_that_sends_a_member_round_in_circles_is_told_to_the_driver() -> None:
    room = Room(1)

    async def redirected_for_ever() -> None:
        for _ in range(REDIRECTS_MAX + 1):
            room.audience.heard(room.members[0], wire.encode(wire.Redirect("r", "ws://g")), START_NS)

    asyncio.run(redirected_for_ever())
    told = room.told.messages[-1]
    assert isinstance(told, msg.MemberFailed)
    assert "was redirected 31 times" in told.reason
