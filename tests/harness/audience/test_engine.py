"""What an audience counts. The tests play the parts of the driver and of the gateways."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from random import Random
from typing import Any, cast

import msgspec
from websockets.frames import CloseCode

from harness.audience.engine import Audience
from harness.audience.member_socket import BACKOFF_FIRST_S, BACKOFF_MAX_S, backoff_s
from harness.audience.membership import MEMBERS_PER_ADDRESS, OVERLAP_NS, READ_ON_S, REDIRECTS_MAX, local_host
from harness.core import protocol as wire
from harness.gateway.settings import FLOOD_REASON
from harness.ipc import messages as msg
from harness.ipc.coordinator_clock import time_ns
from harness.ledger.judge import Verdict, judge
from harness.ledger.reports import RoomReport, message_id
from harness.measure.histogram import Latencies

START_NS = 1_000


class Told:
    """Stands in for the stream to the driver."""

    def __init__(self) -> None:
        self.messages: list[msg.FromAudience] = []

    def write(self, frame: bytes) -> None:
        self.messages.append(msgspec.msgpack.decode(frame[msg.LENGTH.size :], type=msg.FromAudience))


class Socket:
    """Stands in for a WebSocket to a gateway, which the test plays."""

    def __init__(
        self,
        url: str,
        knows: Callable[[bytes], bool],
        hear: Callable[[list[bytes], list[bytes]], None],
        closed: Callable[[str, int | None], None],
    ) -> None:
        self.url = url
        self.closed = closed
        self.is_open = False
        self.sent: list[dict[str, Any]] = []
        self._knows = knows
        self._hear = hear

    async def connect(self, _timeout_s: float, _host: str | None, *, read_bytes_per_s: float | None) -> None:
        self.is_open = True

    def send(self, frame: bytes) -> None:
        self.sent.append(msgspec.json.decode(frame))

    def close(self) -> None:
        self.is_open = False

    def hear(self, *texts: bytes) -> None:
        """These frames come together."""
        frames = [b"\x81" + bytes([len(text)]) + text for text in texts]
        if not self._knows(b"".join(frames)):
            self._hear(frames, list(texts))


class Room:
    """Some members in one room, in a phase that has begun."""

    def __init__(self, members: int, *, resumes: bool = True) -> None:
        self.told = Told()
        self.made: list[Socket] = []
        self.audience = Audience(self.told, cast(Any, self.connect))
        self.audience.obey(msg.Gateways(urls=["ws://g"]))
        self.members = [self.join(number, resumes=resumes) for number in range(members)]
        self.begin()

    def connect(self, *given: Any) -> Socket:
        self.made.append(Socket(*given))
        return self.made[-1]

    def begin(self, start_ns: int = START_NS) -> None:
        self.audience.obey(msg.BeginPhase(name="measure", start_ns=start_ns, end_ns=1 << 62))

    def order(self, *orders: msg.ToAudience, then_s: float = 0.0) -> None:
        """Give orders, and let the audience work on them for a moment."""

        async def obeyed() -> None:
            for order in orders:
                self.audience.obey(order)
            for _ in range(5):
                await asyncio.sleep(0)
            await asyncio.sleep(then_s)

        asyncio.run(obeyed())

    def ask(self, number: int, room: str = "r", *, resumes: bool = True) -> Socket:
        """The member asks for the room; the socket over which it does."""
        self.order(msg.Enter(member=number, room=room, url="ws://g", resumes=resumes))
        (asked,) = [each for each in self.made if each.is_open and each.sent and each.sent[-1].get("t") == "join"]
        return asked

    def join(self, number: int, missed: int | None = None, *, resumes: bool = True) -> Socket:
        socket = self.ask(number, resumes=resumes)
        socket.hear(wire.encode(wire.Joined("r", missed)))
        socket.sent.append({})  # what it asked for has been answered
        return socket

    def come_back(self, number: int, missed: int | None, *, resumes: bool = True) -> Socket:
        """The member hangs up, and is in again over another socket."""
        self.order(msg.HangUp(member=number), then_s=2 * READ_ON_S)
        return self.join(number, missed, resumes=resumes)

    def speak(self, sender: int, sequence: int, intended_ns: int = START_NS) -> bytes:
        """Returns the frame the members will hear."""
        identity = message_id(sender, sequence)
        self.audience.obey(msg.Speak(message_id=identity, room="r", intended_ns=intended_ns, text="x"))
        return wire.encode(wire.Chat("r", "g0-1", identity, intended_ns, "x"))

    def close(self) -> msg.PhaseReport:
        """End the phase; returns its report."""
        self.audience.obey(msg.ClosePhase())
        report = self.told.messages[-1]
        assert isinstance(report, msg.PhaseReport)
        return report

    @property
    def histories(self) -> list[RoomReport]:
        self.audience.obey(msg.Collect())
        histories = self.told.messages.pop()
        assert isinstance(histories, msg.Histories)
        return histories.rooms

    @property
    def verdict(self) -> Verdict:
        return judge(self.histories).verdict


def test_a_message_that_all_members_hear_is_delivered() -> None:
    room = Room(3)
    frame = room.speak(0, 0)
    for member in room.members:
        member.hear(frame)
    room.members[0].hear(wire.encode(wire.Ack(message_id(0, 0))))
    room.members[0].hear(wire.encode(wire.Ack(message_id(0, 0))))
    verdict = room.verdict
    assert (verdict.sent, verdict.acked, verdict.expected, verdict.delivered) == (1, 1, 3, 3)


def test_the_wire_carries_the_intended_time() -> None:
    room = Room(1)
    room.speak(0, 0)
    assert room.members[0].sent[-1] == {"t": "say", "room": "r", "id": 0, "text": "x", "sent": START_NS}


def test_a_copy_is_a_duplicate_for_the_member_who_got_it() -> None:
    room = Room(2)
    frame = room.speak(0, 0)
    for member in (room.members[0], room.members[0], room.members[1]):
        member.hear(frame)
    assert (room.verdict.delivered, room.verdict.duplicated) == (2, 1)


def test_a_message_of_another_phase_is_a_stray_and_not_a_delivery() -> None:
    room = Room(2)
    late = room.speak(0, 0)
    room.close()
    room.begin(START_NS + 1)
    room.members[1].hear(late)
    assert room.verdict.delivered == 0
    assert room.close().strays == 1


def test_a_message_of_a_room_the_member_is_not_in_is_a_stray() -> None:
    room = Room(1)
    outsider = room.ask(9)
    outsider.hear(room.speak(0, 0))
    assert room.verdict.delivered == 0
    assert room.close().strays == 1


def test_a_second_join_begins_no_second_stay() -> None:
    room = Room(1)
    assert room.join(0) is room.members[0]
    room.members[0].hear(room.speak(0, 0))
    assert (room.verdict.expected, room.verdict.lost) == (1, 0)


def test_a_message_of_a_member_that_is_not_connected_is_not_sent_but_counted() -> None:
    room = Room(2)
    room.members[0].is_open = False
    room.speak(0, 0)
    assert room.verdict.sent == 0
    assert room.close().refused == {"not_in_the_room": 1}


def test_a_refused_message_is_counted_by_the_gateways_code() -> None:
    room = Room(1)
    room.speak(0, 0)
    room.members[0].hear(wire.encode(wire.Error("not_accepted", "the backend is gone", message_id(0, 0))))
    assert room.verdict.acked == 0
    assert room.close().refused == {"not_accepted": 1}


def test_a_refused_message_is_lost_even_to_a_member_that_leaves_later() -> None:
    room = Room(2)
    room.speak(0, 0)
    room.members[0].hear(wire.encode(wire.Error("not_accepted", "the backend is gone", message_id(0, 0))))
    room.audience.obey(msg.Exit(member=1, room="r"))
    assert (room.verdict.lost, room.verdict.neither) == (2, 0)


def test_a_refused_join_is_reported_to_the_driver() -> None:
    room = Room(1)
    room.members[0].hear(wire.encode(wire.Error("too_many_rooms", "x")))
    assert isinstance(room.told.messages[-1], msg.MemberFailed)


def test_a_member_that_leaves_while_it_is_joining_does_not_stay() -> None:
    room = Room(1)
    assert room.ask(0, "s") is room.members[0]
    room.audience.obey(msg.Exit(member=0, room="s"))
    room.members[0].hear(wire.encode(wire.Joined("s")))
    assert room.members[0].sent[-1] == {"t": "leave", "room": "s"}
    assert [each.room for each in room.histories] == ["r"]


def test_nothing_is_expected_at_a_redirected_member_until_it_has_joined_again() -> None:
    room = Room(2, resumes=False)
    moved = room.members[1]

    async def redirected() -> None:
        moved.hear(wire.encode(wire.Redirect("r", moved.url)))
        room.speak(0, 0)
        await asyncio.sleep(0.01)  # the audience asks the gateway it was told
        assert moved.sent[-1] == {"t": "join", "room": "r"}
        moved.hear(wire.encode(wire.Joined("r")))

    asyncio.run(redirected())
    room.members[0].hear(room.speak(0, 1))
    verdict = room.verdict
    # Both messages are owed to the one who stayed, the second alone to the one who was away.
    assert (verdict.expected, verdict.delivered) == (3, 1)


def test_a_room_that_redirects_a_join_in_circles_is_reported_to_the_driver() -> None:
    room = Room(1)
    newcomer = room.ask(0, "s")

    async def redirected_for_ever() -> None:
        for _ in range(REDIRECTS_MAX + 1):
            newcomer.hear(wire.encode(wire.Redirect("s", "ws://g")))

    asyncio.run(redirected_for_ever())
    told = room.told.messages[-1]
    assert isinstance(told, msg.MemberFailed)
    assert "was redirected 31 times" in told.reason


def test_a_member_that_loses_its_gateway_returns_through_the_next() -> None:
    room = Room(2)
    lost = room.members[1]
    room.audience.obey(msg.Gateways(urls=["ws://a", "ws://b", "ws://c"]))

    async def broken() -> None:
        lost.closed("reset", None)
        room.speak(0, 0)
        await asyncio.sleep(BACKOFF_FIRST_S + 0.1)

    asyncio.run(broken())
    assert [(each.url, each.sent[-1]["t"]) for each in room.made[2:]] == [("ws://c", "join")]
    assert not any(isinstance(told, msg.MemberFailed) for told in room.told.messages)
    assert room.verdict.expected == 1, "who is away is owed nothing"
    report = room.close()
    assert (report.disconnects, report.away_at_end) == (1, 1)


def test_a_member_that_hangs_up_while_away_does_not_return() -> None:
    room = Room(1)

    async def broken() -> None:
        room.members[0].closed("reset", None)
        room.audience.obey(msg.HangUp(member=0))
        await asyncio.sleep(BACKOFF_FIRST_S + 0.1)

    asyncio.run(broken())
    assert room.made == room.members


def test_attempts_to_return_back_off_and_are_randomized() -> None:
    random = Random(1)
    waits = {attempt: [backoff_s(attempt, random) for _ in range(300)] for attempt in (1, 2, 3, 10, 10_000)}
    for attempt, least_max in ((1, 0.2), (2, 0.4), (3, 0.8), (10, BACKOFF_MAX_S), (10_000, BACKOFF_MAX_S)):
        assert 0.9 * least_max < max(waits[attempt]) <= least_max
        assert min(waits[attempt]) < 0.1 * least_max


def test_very_many_members_come_from_several_addresses_of_this_host() -> None:
    assert local_host("ws://127.0.0.1:20001", MEMBERS_PER_ADDRESS - 1) is None
    assert local_host("ws://127.0.0.1:20001", MEMBERS_PER_ADDRESS) == "127.0.0.3"
    assert local_host("ws://10.0.0.7:20001", 3 * MEMBERS_PER_ADDRESS) is None


def test_nothing_is_expected_at_a_member_after_it_hangs_up() -> None:
    room = Room(2)
    staying, leaving = room.members
    frame = room.speak(0, 0)
    staying.hear(frame)
    staying.hear(room.speak(0, 1))

    async def hung_up() -> None:
        room.audience.obey(msg.HangUp(member=1))
        leaving.hear(frame)  # it had come before the member hung up, and is read now
        staying.hear(room.speak(0, 2))
        await asyncio.sleep(2 * READ_ON_S)

    asyncio.run(hung_up())
    assert not leaving.is_open
    verdict = room.verdict
    # Two messages were owed to both, and one of them reached both; the third to the one who is left.
    assert (verdict.expected, verdict.delivered, verdict.lost) == (5, 4, 1)


def test_a_returning_member_asks_from_a_little_before_the_last_message_it_heard() -> None:
    def asked_since_ns() -> int:
        room.come_back(0, missed=0)
        (asked,) = [each for each in room.made[-1].sent if each.get("t") == "join"]
        return int(asked["after"])

    room = Room(1)
    (stay,) = room.histories[0].stays
    assert asked_since_ns() == stay.joined_ns - OVERLAP_NS
    later_ns = stay.joined_ns + 60 * OVERLAP_NS
    room.made[-1].hear(room.speak(0, 0, later_ns))
    assert asked_since_ns() == later_ns - OVERLAP_NS


def test_a_returning_member_asks_for_nothing_from_before_the_phase() -> None:
    room = Room(1)
    start_ns = time_ns() + 60 * OVERLAP_NS  # so that it is the later one, however long this process is stopped
    room.close()
    room.begin(start_ns)
    room.come_back(0, missed=0)
    assert room.made[-1].sent[0] == {"t": "join", "room": "r", "after": start_ns}


def test_a_missed_message_is_delivered_without_a_latency() -> None:
    room = Room(2)
    known, missed, new = (room.speak(0, sequence) for sequence in range(3))
    for frame in (known, missed, new):
        room.members[0].hear(frame)
    room.members[1].hear(known)
    member = room.come_back(1, missed=2)
    member.hear(known, missed, new)
    assert (room.verdict.delivered, room.verdict.repeated, room.verdict.returns) == (6, 1, 1)
    assert room.verdict.duplicated == 0
    report = room.close()
    assert Latencies.unpack(report.latency).count == 3 + 1 + 1
    assert Latencies.unpack(report.caught_up).count == 1


def test_a_message_that_a_returning_member_heard_at_another_gateway_is_a_duplicate_on_return() -> None:
    room = Room(2, resumes=False)
    frames = [room.speak(0, sequence) for sequence in range(12)]
    for frame in frames:
        room.members[1].hear(frame)
    member = room.come_back(1, missed=None, resumes=False)
    for frame in frames:
        member.hear(frame)
    verdict = room.verdict
    assert (verdict.duplicated_on_return, verdict.duplicated, verdict.neither) == (12, 0, 0)
    assert (verdict.came_again, verdict.returns, verdict.missed) == (1, 0, 0)


def test_a_return_without_history_is_a_new_stay() -> None:
    room = Room(2)
    room.members[1].hear(room.speak(0, 0))
    member = room.come_back(1, missed=None)
    member.hear(room.speak(0, 1))
    assert (room.verdict.returns, room.verdict.missed) == (1, 0)
    assert Latencies.unpack(room.close().caught_up).count == 0


def test_a_member_closed_for_too_many_frames_is_reported_as_flooded() -> None:
    room = Room(3)
    one, other, third = room.members

    async def close() -> None:
        one.closed(f"closed with 1008: {FLOOD_REASON} 1,000", CloseCode.POLICY_VIOLATION)
        other.closed("closed with 1008: a member must say what it means", CloseCode.POLICY_VIOLATION)
        third.closed("the gateway dropped the connection", None)

    asyncio.run(close())
    (flooded,) = [told for told in room.told.messages if isinstance(told, msg.Flooded)]
    assert f"{FLOOD_REASON} 1,000); use more --members, or a lower --rate" in flooded.problem
