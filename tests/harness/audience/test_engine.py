"""The audience's bookkeeping, with frames handed to it as a socket would."""

from __future__ import annotations

import asyncio
from random import Random
from typing import Any, cast

import msgspec
from websockets.frames import CloseCode

from harness.audience.engine import MEMBERS_PER_ADDRESS, OVERLAP_NS, READ_ON_S, REDIRECTS_MAX, Audience, _local_host
from harness.audience.history import Message, Stay
from harness.audience.member_socket import BACKOFF_FIRST_S, BACKOFF_MAX_S, Joining, MemberSocket, backoff_s
from harness.core import protocol as wire
from harness.gateway.settings import FLOOD_REASON
from harness.ipc import messages as msg
from harness.ipc.coordinator_clock import time_ns
from harness.ledger.judge import Verdict, judge
from harness.ledger.reports import message_id
from harness.measure.histogram import Latencies

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

    is_open = True

    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []

    def send(self, frame: bytes) -> None:
        self.sent.append(msgspec.json.decode(frame))

    def close(self) -> None:
        self.is_open = False


class Room:
    """Some members in one room, in a phase that has begun."""

    def __init__(self, members: int) -> None:
        self.told = Told()
        self.audience = Audience(cast(Any, self.told))
        self.members = [self.member(number) for number in range(members)]
        for member in self.members:
            self.audience._sockets[member.number, member.url] = member
            self.join(member)
        self.audience._begin(BEGIN)

    def member(self, number: int) -> MemberSocket:
        member = MemberSocket(self.audience, number, "ws://g")
        member.connection = cast(Any, Socket())
        return member

    def join(self, member: MemberSocket, room: str = "r") -> None:
        self.audience._joining.setdefault((member.number, room), Joining(START_NS))
        self.hear(member, wire.encode(wire.Joined(room)))

    def speak(self, sender: int, sequence: int) -> bytes:
        """Returns the frame the members will hear."""
        identity = message_id(sender, sequence)
        self.audience._speak(msg.Speak(message_id=identity, room="r", intended_ns=START_NS, text="x"))
        return wire.encode(wire.Chat("r", "g0-1", identity, START_NS, "x"))

    def hear(self, member: MemberSocket, *texts: bytes) -> None:
        """These frames come together, as they would from a connection."""
        frames = [b"\x81" + bytes([len(text)]) + text for text in texts]
        if not member.knows(b"".join(frames)):
            member.hear(frames, list(texts))

    @property
    def report(self) -> msg.PhaseReport:
        assert self.audience._phase is not None
        self.audience._phase.flush()
        self.audience._phase.close_second(1)
        return self.audience._phase.report()

    @property
    def verdict(self) -> Verdict:
        return judge(self.report.rooms).verdict


def test_what_everybody_hears_is_delivered() -> None:
    room = Room(3)
    frame = room.speak(0, 0)
    for member in room.members:
        room.hear(member, frame)
    room.hear(room.members[0], wire.encode(wire.Ack(message_id(0, 0))))
    room.hear(room.members[0], wire.encode(wire.Ack(message_id(0, 0))))
    verdict = room.verdict
    assert (verdict.sent, verdict.acked, verdict.expected, verdict.delivered) == (1, 1, 3, 3)


def test_the_wire_carries_the_intended_moment() -> None:
    room = Room(1)
    room.speak(0, 0)
    socket = cast(Any, room.members[0].connection)
    assert socket.sent == [{"t": "say", "room": "r", "id": 0, "text": "x", "sent": START_NS}]


def test_a_copy_is_a_duplicate_for_the_member_who_got_it() -> None:
    room = Room(2)
    frame = room.speak(0, 0)
    for member in (room.members[0], room.members[0], room.members[1]):
        room.hear(member, frame)
    assert (room.verdict.delivered, room.verdict.duplicated) == (2, 1)


def test_a_message_of_another_phase_is_a_stray_and_no_delivery() -> None:
    room = Room(2)
    late = room.speak(0, 0)
    room.audience._begin(msg.BeginPhase(name="measure", start_ns=START_NS + 1, end_ns=1 << 60))
    room.hear(room.members[1], late)
    assert (room.verdict.delivered, room.report.strays) == (0, 1)


def test_a_message_of_a_room_the_member_is_not_in_is_a_stray() -> None:
    room = Room(1)
    outsider = room.member(9)
    room.hear(outsider, room.speak(0, 0))
    assert (room.verdict.delivered, room.report.strays) == (0, 1)


def test_joining_twice_is_staying_once() -> None:
    room = Room(1)
    room.join(room.members[0])
    room.hear(room.members[0], room.speak(0, 0))
    assert (room.verdict.expected, room.verdict.lost) == (1, 0)


def test_who_is_not_connected_says_nothing_and_it_is_counted() -> None:
    room = Room(2)
    cast(Any, room.members[0].connection).is_open = False
    room.speak(0, 0)
    assert room.verdict.sent == 0
    assert room.report.refused == {"not_in_the_room": 1}


def test_a_refused_message_is_counted_by_the_gateways_code() -> None:
    room = Room(1)
    room.speak(0, 0)
    error = wire.encode(wire.Error("not_accepted", "the backend is gone", message_id(0, 0)))
    room.hear(room.members[0], error)
    assert room.report.refused == {"not_accepted": 1}
    assert room.verdict.acked == 0


def test_what_was_refused_is_lost_also_to_who_leaves_later() -> None:
    room = Room(2)
    room.speak(0, 0)
    room.hear(room.members[0], wire.encode(wire.Error("not_accepted", "the backend is gone", message_id(0, 0))))
    room.audience._exit(msg.Exit(member=1, room="r"))
    assert (room.verdict.lost, room.verdict.neither) == (2, 0)


def test_a_member_who_is_turned_away_is_told_to_the_driver() -> None:
    room = Room(1)
    room.hear(room.members[0], wire.encode(wire.Error("too_many_rooms", "x")))
    assert isinstance(room.told.messages[-1], msg.MemberFailed)


def test_who_leaves_while_still_on_the_way_in_does_not_stay() -> None:
    room = Room(1)
    room.audience._joining[0, "s"] = Joining(START_NS)
    room.audience._exit(msg.Exit(member=0, room="s"))
    room.hear(room.members[0], wire.encode(wire.Joined("s")))
    assert "s" not in room.members[0].stays
    assert cast(Any, room.members[0].connection).sent[-1] == {"t": "leave", "room": "s"}


def test_who_is_sent_away_is_owed_nothing_until_it_is_in_again() -> None:
    room = Room(2)
    moved = room.members[1]

    async def redirected() -> None:
        room.hear(moved, wire.encode(wire.Redirect("r", moved.url)))
        room.speak(0, 0)
        await asyncio.sleep(0.01)  # the audience asks the gateway it was told
        assert cast(Any, moved.connection).sent[-1] == {"t": "join", "room": "r"}
        room.hear(moved, wire.encode(wire.Joined("r")))

    asyncio.run(redirected())
    room.hear(room.members[0], room.speak(0, 1))
    verdict = room.verdict
    # Both messages are owed to the one who stayed, the second alone to the one who was away.
    assert (verdict.expected, verdict.delivered) == (3, 1)


def test_a_room_that_sends_a_newcomer_round_in_circles_is_told_to_the_driver() -> None:
    room = Room(1)
    room.audience._joining[0, "s"] = Joining(START_NS)

    async def redirected_for_ever() -> None:
        for _ in range(REDIRECTS_MAX + 1):
            room.hear(room.members[0], wire.encode(wire.Redirect("s", "ws://g")))

    asyncio.run(redirected_for_ever())
    told = room.told.messages[-1]
    assert isinstance(told, msg.MemberFailed)
    assert "was redirected 31 times" in told.reason


def test_who_loses_its_gateway_comes_back_by_way_of_the_next() -> None:
    room = Room(2)
    audience, lost = room.audience, room.members[1]
    asked: list[tuple[int, str, str]] = []

    async def note(number: int, url: str, name: str) -> None:
        asked.append((number, url, name))

    async def broken() -> None:
        audience._urls = ["ws://a", "ws://b", "ws://c"]
        audience._ask = note  # type: ignore[method-assign, assignment]  # there is no gateway to ask here
        audience.disconnected(lost, "reset", None)
        room.speak(0, 0)
        await asyncio.sleep(BACKOFF_FIRST_S + 0.1)

    asyncio.run(broken())
    assert asked == [(1, "ws://c", "r")]
    assert not any(isinstance(told, msg.MemberFailed) for told in room.told.messages)
    report = audience._phase.report(1) if audience._phase else None
    assert report is not None
    assert (report.disconnects, report.away_at_end) == (1, 1)
    assert room.verdict.expected == 1, "who is away is owed nothing"


def test_who_hangs_up_while_away_stays_away() -> None:
    room = Room(1)
    asked: list[int] = []

    async def note(number: int, _url: str, _room: str) -> None:
        asked.append(number)

    async def broken() -> None:
        room.audience._urls = ["ws://a"]
        room.audience._ask = note  # type: ignore[method-assign, assignment]  # as above
        room.audience.disconnected(room.members[0], "reset", None)
        room.audience._hang_up(0)
        await asyncio.sleep(BACKOFF_FIRST_S + 0.1)

    asyncio.run(broken())
    assert asked == []


def test_attempts_to_come_back_grow_rarer_and_differ() -> None:
    random = Random(1)
    waits = {attempt: [backoff_s(attempt, random) for _ in range(300)] for attempt in (1, 2, 3, 10, 10_000)}
    for attempt, least_max in ((1, 0.2), (2, 0.4), (3, 0.8), (10, BACKOFF_MAX_S), (10_000, BACKOFF_MAX_S)):
        assert 0.9 * least_max < max(waits[attempt]) <= least_max
        assert min(waits[attempt]) < 0.1 * least_max


def test_very_many_members_come_from_several_addresses_of_this_host() -> None:
    assert _local_host("ws://127.0.0.1:20001", MEMBERS_PER_ADDRESS - 1) is None
    assert _local_host("ws://127.0.0.1:20001", MEMBERS_PER_ADDRESS) == "127.0.0.3"
    assert _local_host("ws://10.0.0.7:20001", 3 * MEMBERS_PER_ADDRESS) is None


def test_a_member_who_hangs_up_is_owed_nothing_from_then_on() -> None:
    async def scenario() -> None:
        room = Room(2)
        frame = room.speak(0, 0)
        room.hear(room.members[0], frame)
        lost = room.speak(0, 1)
        room.hear(room.members[0], lost)
        room.audience._hang_up(1)
        assert (1, "r") not in room.audience._whereabouts
        room.hear(room.members[1], frame)  # it had come before the member hung up, and is read now
        room.hear(room.members[0], room.speak(0, 2))
        await asyncio.sleep(2 * READ_ON_S)
        assert not room.members[1].connection.is_open
        verdict = room.verdict
        # Two messages were owed to both, and one of them reached both; the third to the one who is left.
        assert (verdict.expected, verdict.delivered, verdict.lost) == (5, 4, 1)

    asyncio.run(scenario())


def test_who_comes_back_asks_from_a_little_before_the_last_message_it_heard() -> None:
    def after_ns(before: Stay | None) -> int | None:
        return room.audience._missed_since_ns(Joining(START_NS, before=before))

    room = Room(1)
    stay = room.members[0].stays["r"]
    assert after_ns(None) is None
    assert stay is not None
    assert after_ns(stay) == stay.joined_ns - OVERLAP_NS
    stay.joined_ns = START_NS + 1
    assert after_ns(stay) == START_NS  # never from before the phase
    heard = Message(1, 0, START_NS + 5 * OVERLAP_NS)
    stay.hear((heard,))
    assert after_ns(stay) == START_NS + 4 * OVERLAP_NS


def come_back(room: Room, number: int, missed: int | None, *, asks: bool = True) -> MemberSocket:
    """The member hung up, and is in again over another socket."""
    before = room.members[number].stays["r"]
    member = room.member(number)
    room.audience._sockets[number, member.url] = member
    room.audience._joining[number, "r"] = Joining(START_NS, before=before if asks else None)
    assert before is not None
    before.left_ns = time_ns()
    room.hear(member, wire.encode(wire.Joined("r", missed)))
    return member


def test_what_was_missed_is_delivered_but_its_age_is_no_latency() -> None:
    room = Room(2)
    known, missed, new = (room.speak(0, sequence) for sequence in range(3))
    for frame in (known, missed, new):
        room.hear(room.members[0], frame)
    room.hear(room.members[1], known)
    member = come_back(room, 1, missed=2)
    room.hear(member, known, missed, new)
    assert (room.verdict.delivered, room.verdict.repeated, room.verdict.returns) == (6, 1, 1)
    report = room.report
    assert Latencies.unpack(report.latency).count == 3 + 1 + 1
    assert Latencies.unpack(report.caught_up).count == 1
    assert room.verdict.duplicated == 0


def test_what_a_gateway_delivers_to_who_heard_it_from_another_is_a_duplicate_on_return() -> None:
    room = Room(2)
    frames = [room.speak(0, sequence) for sequence in range(12)]
    for frame in frames:
        room.hear(room.members[1], frame)
    member = come_back(room, 1, missed=None, asks=False)
    for frame in frames:
        room.hear(member, frame)
    verdict = room.verdict
    assert (verdict.duplicated_on_return, verdict.duplicated, verdict.neither) == (12, 0, 0)
    assert (verdict.came_again, verdict.returns, verdict.missed) == (1, 0, 0)


def test_where_nothing_is_kept_a_return_is_a_new_stay() -> None:
    room = Room(2)
    room.hear(room.members[1], room.speak(0, 0))
    member = come_back(room, 1, missed=None)
    room.hear(member, room.speak(0, 1))
    report = room.report
    assert Latencies.unpack(report.caught_up).count == 0
    assert (room.verdict.returns, room.verdict.missed) == (1, 0)


def test_who_is_closed_for_too_many_frames_is_told_as_that() -> None:
    room = Room(3)
    one, other, third = room.members

    async def close() -> None:
        one.closed(f"closed with 1008: {FLOOD_REASON} 1,000", CloseCode.POLICY_VIOLATION)
        other.closed("closed with 1008: a member must say what it means", CloseCode.POLICY_VIOLATION)
        third.closed("the gateway dropped the connection", None)

    asyncio.run(close())
    (flooded,) = [told for told in room.told.messages if isinstance(told, msg.Flooded)]
    assert f"{FLOOD_REASON} 1,000); use more --members, or a lower --rate" in flooded.problem
