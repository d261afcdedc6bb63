"""The audience: one process that holds the sockets of its members, apart from Locust and its gevent.

It sends what members say, hears what gateways deliver, and notes both. What the members of a room get are the same
bytes, so these are decoded once, and looked up by themselves afterwards.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import signal
import socket
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Coroutine, Iterable
from random import Random
from typing import Any
from urllib.parse import urlsplit

import uvloop
from websockets.frames import CloseCode

from harness.audience.history import Message, Stay
from harness.audience.member_socket import Joining, MemberSocket, backoff_s
from harness.audience.phase_stats import Chunk, Phase, note_heard
from harness.audience.probe import PROBE_BASE, RunningProbe
from harness.core import protocol as wire
from harness.core.gc_tuning import collect_seldom
from harness.core.outermost import run_child
from harness.gateway.settings import FLOOD_REASON
from harness.ipc import messages as msg
from harness.ipc.coordinator_clock import follow, time_ns
from harness.ledger.reports import UNDER_WAY_NS, sender_of
from harness.measure.clock_step import ClockWatch
from harness.measure.validity import lag_over_time

CONNECTING_MAX = 200
CONNECT_TIMEOUT_S = 20.0
KNOWN_CHUNKS_MAX = 4096
FLUSH_S = 0.1
PROGRESS_S = 0.05
LAG_PROBE_NS = 20_000_000
PROBE_ROUND_S = 0.25
REDIRECTS_MAX = 30
REDIRECT_PAUSE_S = 0.05
# Linux has 28,232 ports for clients of one address; the rest is for the members' second connections, and for others.
MEMBERS_PER_ADDRESS = 20_000
READ_ON_S = 0.05
# Who asks for what it missed asks for this much more: senders and backends do not share a clock, and messages overtake.
OVERLAP_NS = 1_000_000_000


class Audience:
    """All members of one Locust process."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self._writer = writer
        # A member has a connection to each gateway that serves one of its rooms: mostly one, several under plan2.
        self._urls: list[str] = []
        self._sockets: dict[tuple[int, str], MemberSocket] = {}  # by member and gateway
        self._whereabouts: dict[tuple[int, str], MemberSocket] = {}  # by member and room: where it is joined
        self._joining: dict[tuple[int, str], Joining] = {}  # by member and room
        self._last_stays: dict[tuple[int, str], Stay] = {}  # of each member in each room, in this phase
        self._resuming: set[tuple[int, str]] = set()  # who, on coming back there, asks for what it missed
        self._arrived: set[int] = set()  # members whose first connection was counted
        self._connecting = asyncio.Semaphore(CONNECTING_MAX)
        self._random = Random(0)  # of backoffs alone
        self._one_at_a_time: defaultdict[int, asyncio.Lock] = defaultdict(asyncio.Lock)  # a member's connecting
        self.known: dict[bytes, tuple[Chunk, ...]] = {}  # by all the bytes that were read at once
        self._phase: Phase | None = None
        self._probe: RunningProbe | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._stopping = False

    def _tell(self, message: msg.FromAudience) -> None:
        self._writer.write(msg.pack(message))

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (problem := task.exception()) is not None:
            # A fault of the audience itself: end, so that the driver and the run fail and say why.
            asyncio.get_running_loop().call_exception_handler({"message": "audience failed", "exception": problem})
            sys.exit(f"{type(problem).__name__}: {problem}")

    # --- what the driver asks for

    async def obey(self, reader: asyncio.StreamReader) -> None:
        """Act on the driver's messages until it closes the channel."""
        incoming: msg.Unpacker[msg.ToAudience] = msg.Unpacker(msg.ToAudience)
        while data := await reader.read(1 << 18):
            incoming.feed(data)
            while (order := incoming.take()) is not None:
                self._obey(order)
        self._stopping = True

    def _obey(self, order: msg.ToAudience) -> None:
        match order:
            case msg.Speak():
                self._speak(order)
            case msg.FollowClock():
                follow(order.ahead_ns)
            case msg.Gateways():
                self._urls = order.urls
            case msg.Enter():
                self._spawn(self._enter(order))
            case msg.Exit():
                self._exit(order)
            case msg.HangUp():
                self._hang_up(order.member)
            case msg.SlowDown():
                self._spawn(self._slow_down(order))
            case msg.Probe():
                self._spawn(self._run_probe(order))
            case msg.BeginPhase():
                self._begin(order)
            case msg.EndPhase():
                self._spawn(self._tell_progress())
            case msg.Collect():
                self._collect()
            case msg.ClosePhase():
                self._close_phase()

    async def _enter(self, enter: msg.Enter) -> None:
        whose = (enter.member, enter.room)
        before = self._asks_since(*whose)
        if enter.resumes:
            self._resuming.add(whose)
        self._joining[whose] = Joining(time_ns(), enter.read_bytes_per_s, before=before)
        await self._ask(enter.member, enter.url, enter.room)

    async def _ask(self, number: int, url: str, room: str) -> None:
        """Ask that gateway to let the member into the room, over a connection made for it if there is none."""
        try:
            member = await self._connected(number, url, self._joining[number, room])
        except Exception as problem:  # noqa: BLE001 - whatever kept the member out is told to the driver
            self._kept_out(number, room, f"{type(problem).__name__}: {problem}")
            return
        member.asked.add(room)
        member.send(wire.Join(room, self._missed_since_ns(self._joining.get((number, room)))))

    def _missed_since_ns(self, joining: Joining | None) -> int | None:
        phase = self._phase
        if phase is None or joining is None or joining.before is None:
            return None
        return max(phase.start_ns, joining.before.heard_until_ns - OVERLAP_NS)

    def _kept_out(self, number: int, room: str, reason: str) -> None:
        """The member did not get in. Who was in before tries again, as a good client does."""
        joining = self._joining.get((number, room))
        if joining is not None and joining.away:
            self._spawn(self._come_back(number, room, joining))
        else:
            self._tell(msg.MemberFailed(member=number, reason=reason))

    async def _come_back(self, number: int, room: str, joining: Joining) -> None:
        joining.attempts += 1
        joining.redirects = 0
        await asyncio.sleep(backoff_s(joining.attempts, self._random))
        if self._joining.get((number, room)) is joining:  # else it has left, or hung up, meanwhile
            await self._ask(number, self._urls[(number + joining.attempts) % len(self._urls)], room)

    async def _connected(self, number: int, url: str, joining: Joining) -> MemberSocket:
        async with self._one_at_a_time[number]:
            member = self._sockets.get((number, url))
            if member is not None:
                return member
            began_ns = time_ns()
            member = MemberSocket(self, number, url, joining.read_bytes_per_s)
            async with self._connecting:
                await member.connection.connect(
                    CONNECT_TIMEOUT_S, _local_host(url, number), read_bytes_per_s=joining.read_bytes_per_s
                )
            self._sockets[number, url] = member
            if number not in self._arrived:
                self._arrived.add(number)
                joining.connect_ms = (time_ns() - began_ns) / 1e6
            return member

    def _exit(self, leave: msg.Exit) -> None:
        self._joining.pop((leave.member, leave.room), None)
        self._resuming.discard((leave.member, leave.room))
        member = self._whereabouts.pop((leave.member, leave.room), None)
        if member is not None:
            member.end_stay(leave.room, time_ns())
            member.send(wire.Leave(leave.room))

    def _hang_up(self, number: int) -> None:
        for key in [key for key in self._joining if key[0] == number]:
            del self._joining[key]
        now_ns = time_ns()
        for key in [key for key in self._sockets if key[0] == number]:
            member = self._sockets.pop(key)
            for room, stay in member.stays.items():
                del self._whereabouts[number, room]
                if stay is not None:
                    stay.left_ns = now_ns
            self._spawn(self._let_go(member, now_ns))
        self._arrived.discard(number)

    async def _let_go(self, member: MemberSocket, left_ns: int) -> None:
        """Close when it has read what was on its way before it decided to go."""
        await asyncio.sleep(READ_ON_S)
        self._no_answer_will_come(member)
        for _ in range(2):  # after a stall, timers come before what waits in the sockets
            await asyncio.sleep(0)
        for room in list(member.stays):
            member.end_stay(room, left_ns)
        member.connection.close()

    def _break_stays(self, member: MemberSocket, *, cut_off: bool) -> None:
        now_ns = time_ns()
        for room in list(member.stays):
            member.end_stay(room, now_ns, broken=True, cut_off=cut_off)
            del self._whereabouts[member.number, room]

    async def _slow_down(self, order: msg.SlowDown) -> None:
        slow = [member for member in self._sockets.values() if member.number % order.one_in == 0]
        stays = [(member, stay) for member in slow for stay in member.stays.values() if stay is not None]
        for _, stay in stays:
            stay.read_nothing(time_ns())
        for member in slow:
            member.connection.read_nothing()
        await asyncio.sleep(order.lasts_s)
        for member in slow:
            member.connection.read_again()
        for member, stay in stays:
            if stay.left_ns is None and member.read_bytes_per_s is None:  # else it goes on as slowly as before
                stay.read_on_ns = time_ns()

    def _speak(self, speak: msg.Speak) -> None:
        phase = self._phase
        if phase is None:
            return  # does not happen: EndPhase follows the last Speak on the same channel
        member = self._whereabouts.get((sender_of(speak.message_id), speak.room))
        if member is None or not member.connection.is_open:
            phase.refused["not_in_the_room"] += 1
            phase.not_taken_ns.append(speak.intended_ns)
            return
        now_ns = time_ns()
        message = phase.history.say(speak.message_id, speak.room, speak.intended_ns, now_ns)
        message.waits = True
        member.waiting[speak.message_id] = message
        phase.new_lateness_ns.append(now_ns - speak.intended_ns)
        phase.second_said += 1
        phase.unanswered += 1
        member.send(wire.Say(speak.room, speak.message_id, speak.text, speak.intended_ns))

    def left(self, member: MemberSocket, room: str) -> None:
        """The member is not in the room any more."""
        if self._probe is not None:
            self._probe.left(member, room)

    # --- what the gateways say

    def heard(self, member: MemberSocket, chunk: Chunk, now_ns: int) -> None:
        """The member got these messages."""
        phase = self._phase
        if phase is None:
            return
        stay = member.stays.get(chunk.room)
        if stay is None:
            phase.strays += len(chunk.messages)
            return
        if stay.missing:
            self._heard_of_the_past(phase, stay, chunk.messages, now_ns)
            return
        again = stay.hear(chunk.messages)
        if again or not stay.timed:
            self._heard_one_by_one(phase, stay, chunk.messages, again, now_ns)
            return
        heard_ns = chunk.heard_ns
        if not heard_ns:
            phase.fresh.append(chunk)
        heard_ns.append(now_ns)

    def _heard_one_by_one(
        self, phase: Phase, stay: Stay, messages: Iterable[Message], again: Iterable[Message], now_ns: int
    ) -> None:
        repeated = Counter(again)
        phase.repeated += repeated.total()
        for message in messages:
            if repeated[message] > 0:
                repeated[message] -= 1
                continue
            if stay.timed:
                note_heard(message, now_ns, now_ns)
                phase.time_delivery(message, now_ns)
            else:
                phase.untimed += 1

    def _heard_of_the_past(self, phase: Phase, stay: Stay, messages: tuple[Message, ...], now_ns: int) -> None:
        """What the member missed, and perhaps the first of what is said now. How late it is, is no gateway's doing."""
        past, present = messages[: stay.missing], messages[stay.missing :]
        stay.hear(past)
        stay.told += len(past)
        phase.replayed += len(past)
        self._caught_up(phase, stay, len(past), now_ns)
        if present:
            self._heard_one_by_one(phase, stay, present, stay.hear(present), now_ns)

    def _caught_up(self, phase: Phase, stay: Stay, count: int, now_ns: int) -> None:
        """So many more of the messages that the member missed have come."""
        stay.missing -= count
        if stay.missing == 0 and stay.resumed:
            phase.caught_up.record_ns([now_ns - stay.asked_ns])

    def decode(self, member: MemberSocket, frames: list[bytes], texts: list[bytes], now_ns: int) -> None:
        """Text frames that came together in bytes nobody had seen before: often the first of a room to get them."""
        heard: list[Chunk] = []
        for frame, text in zip(frames, texts, strict=True):
            chunks = self.known.get(frame) or self._decode_one(member, frame, text, now_ns)
            for chunk in chunks:
                self.heard(member, chunk, now_ns)
            heard += chunks
        if 1 < len(heard) == len(frames):
            by_room = itertools.groupby(heard, key=lambda chunk: chunk.room)
            joined = (Chunk(room, tuple(m for chunk in same for m in chunk.messages)) for room, same in by_room)
            self._learn(b"".join(frames), tuple(joined))

    def _decode_one(self, member: MemberSocket, frame: bytes, text: bytes, now_ns: int) -> tuple[Chunk, ...]:
        """The frame as a chunk of its own; none if it is no message of this phase, and has been dealt with."""
        decoded = wire.decode_gateway_frame(text)
        if not isinstance(decoded, wire.Chat):
            self._answered(member, decoded, now_ns)
            return ()
        if decoded.id >= PROBE_BASE:
            if self._probe is not None:
                self._probe.heard(member, decoded)
            return ()
        phase = self._phase
        if phase is None:
            return ()
        if decoded.sent is None or decoded.sent < phase.start_ns:  # of an earlier phase
            stay = member.stays.get(decoded.room)
            if stay is not None and stay.missing:
                self._caught_up(phase, stay, 1, now_ns)
            else:
                phase.strays += 1
            return ()
        message = phase.history.room(decoded.room).message(decoded.id, decoded.sent)
        chunks = (Chunk(decoded.room, (message,)),)
        self._learn(frame, chunks)
        return chunks

    def _learn(self, data: bytes, chunks: tuple[Chunk, ...]) -> None:
        if len(self.known) >= KNOWN_CHUNKS_MAX:
            self.known.clear()
        self.known[data] = chunks

    def _answered(self, member: MemberSocket, frame: wire.GatewayFrame, now_ns: int) -> None:
        if (
            isinstance(frame, wire.Joined | wire.Redirect)
            and self._sockets.get((member.number, member.url)) is not member
        ):
            return  # it has hung up meanwhile, and may have asked for the room elsewhere
        match frame:
            case wire.Ack(id=int(identity)) | wire.Error(id=int(identity)) if identity >= PROBE_BASE:
                if self._probe is not None:
                    self._probe.answered(identity)
            case wire.Ack(identity):
                self._acked(member, identity, now_ns)
            case wire.Joined(room, missed):
                self._joined(member, room, missed, now_ns)
            case wire.Error(code, reason, identity):
                self._refused(member, code, reason, identity)
            case wire.Redirect(room, url):
                self._redirected(member, room, url, now_ns)

    def _acked(self, member: MemberSocket, identity: int, now_ns: int) -> None:
        phase = self._phase
        message = None if phase is None else phase.history.said.get(identity)
        if phase is None or message is None:
            return
        self._answer_came(member, identity)
        if phase.history.ack(message, now_ns):
            phase.time_ack(message, now_ns)
            phase.second_acked += 1

    def _refused(self, member: MemberSocket, code: str, reason: str, identity: int | None) -> None:
        if identity is None:
            # Such an answer names no room: it is about one of those asked for, and asking twice does no harm.
            asked, member.asked = member.asked, set()
            for room in asked:
                self._kept_out(member.number, room, f"{code}: {reason}")
            if not asked:
                self._tell(msg.MemberFailed(member=member.number, reason=f"{code}: {reason}"))
        elif self._phase is not None:
            message = self._answer_came(member, identity)
            if message is not None:
                message.over_ns = time_ns()
            self._phase.refused[code] += 1

    def _answer_came(self, member: MemberSocket, identity: int) -> Message | None:
        message = member.waiting.pop(identity, None)
        if message is not None and self._phase is not None:
            message.waits = False
            self._phase.unanswered -= 1
        return message

    def _no_answer_will_come(self, member: MemberSocket) -> None:
        """Its connection is gone. What the gateway has of it may still reach others, for a while."""
        for identity in list(member.waiting):
            message = self._answer_came(member, identity)
            if message is not None:
                message.over_ns = time_ns() + UNDER_WAY_NS

    def _joined(self, member: MemberSocket, room: str, missed: int | None, now_ns: int) -> None:
        member.asked.discard(room)
        joining = self._joining.pop((member.number, room), None)
        if joining is None:  # it has left again meanwhile
            if room not in member.stays:
                member.send(wire.Leave(room))
            return
        if room not in member.stays:  # joining twice is staying once
            self._whereabouts[member.number, room] = member
            stay = member.stays[room] = self._enter_history(member, room, now_ns)
            if self._phase is not None and stay is not None:
                self._comes_back(self._phase, stay, joining, missed, now_ns)
        if self._phase is not None:
            self._phase.note_in(now_ns - joining.asked_ns, away=joining.away, redirected=joining.redirects > 0)
        join_ms = (now_ns - joining.asked_ns) / 1e6
        self._tell(msg.Entered(member=member.number, room=room, connect_ms=joining.connect_ms, join_ms=join_ms))

    def _comes_back(self, phase: Phase, stay: Stay, joining: Joining, missed: int | None, now_ns: int) -> None:
        stay.missing = missed or 0  # also of who asked in an earlier phase
        if joining.before is not None:
            stay.asked, stay.asked_ns, stay.resumed = True, joining.asked_ns, missed is not None
            self._caught_up(phase, stay, 0, now_ns)

    def _enter_history(self, member: MemberSocket, room: str, now_ns: int) -> Stay | None:
        if self._phase is None:
            return None
        stay = self._phase.history.enter(room, member.url, now_ns, timed=member.read_bytes_per_s is None)
        stay.before = self._last_stays.get((member.number, room))
        self._last_stays[member.number, room] = stay
        return stay

    def _redirected(self, member: MemberSocket, room: str, url: str, now_ns: int) -> None:
        """The room is served elsewhere: ask there. Until then the member is not in it, and is owed nothing."""
        member.asked.discard(room)
        if self._whereabouts.pop((member.number, room), None) is not None:  # it was in, and the room has moved
            self._joining[member.number, room] = self._away(member, room, now_ns)
            member.end_stay(room, now_ns)
        joining = self._joining.get((member.number, room))
        if joining is None:  # it has left meanwhile
            return
        joining.redirects += 1
        if joining.redirects > REDIRECTS_MAX:
            reason = f"{room} was redirected {joining.redirects} times, at last from {member.url} to {url}"
            self._kept_out(member.number, room, reason)
            return
        self._spawn(self._follow(member, url, room, joining.redirects))

    def _away(self, member: MemberSocket, room: str, now_ns: int) -> Joining:
        """On its way back into a room in which it did not want to lose its place."""
        return Joining(now_ns, member.read_bytes_per_s, away=True, before=self._asks_since(member.number, room))

    def _asks_since(self, number: int, room: str) -> Stay | None:
        """The stay since which the member will ask what it missed; None of one who does not ask."""
        return self._last_stays.get((number, room)) if (number, room) in self._resuming else None

    async def _follow(self, member: MemberSocket, url: str, room: str, redirects: int) -> None:
        # Usually the second gateway is the right one. More means that rooms are moving: give them time.
        await asyncio.sleep(REDIRECT_PAUSE_S * max(0, redirects - 2))
        if (member.number, room) in self._joining:
            await self._ask(member.number, url, room)
        if not member.stays and not member.asked:
            self._sockets.pop((member.number, member.url), None)
            self._no_answer_will_come(member)
            member.connection.close()

    def disconnected(self, member: MemberSocket, why: str, code: int | None) -> None:
        where = (member.number, member.url)
        if self._stopping or self._sockets.get(where) is not member:  # it has hung up
            return
        del self._sockets[where]
        if code == CloseCode.POLICY_VIOLATION and FLOOD_REASON in why:
            problem = f"the gateway at {member.url} did not take all that one member sent ({why})"
            self._tell(msg.Flooded(problem=f"{problem}; use more --members, or a lower --rate"))
        self._no_answer_will_come(member)
        self._arrived.discard(member.number)
        for room in member.stays:
            self._joining[member.number, room] = self._away(member, room, time_ns())
        rooms = [*member.stays, *member.asked]
        self._break_stays(member, cut_off=code == CloseCode.TRY_AGAIN_LATER)
        if self._phase is not None:
            self._phase.disconnects += 1
        for room in rooms:
            self._kept_out(member.number, room, why)

    # --- phases

    def _begin(self, begin: msg.BeginPhase) -> None:
        self._phase = Phase(begin)
        self._last_stays.clear()  # these were of another phase
        for joining in self._joining.values():
            joining.before = None
        now_ns = time_ns()
        for member in self._sockets.values():
            for room in member.stays:
                member.stays[room] = self._enter_history(member, room, now_ns)

    async def _tell_progress(self) -> None:
        """Until the coordinator has seen enough of it."""
        while self._phase is not None:
            self._tell(self._phase.progress())
            await asyncio.sleep(PROGRESS_S)

    def _collect(self) -> None:
        if self._phase is not None:
            self._phase.flush()
            self._tell(msg.Histories(rooms=self._phase.history.report(), unanswered=self._phase.unanswered))

    def _close_phase(self) -> None:
        phase, self._phase = self._phase, None
        if phase is None:
            return
        phase.flush()
        self._tell(phase.close_second(phase.second + 1))
        report = phase.report(sum(joining.away for joining in self._joining.values()))
        # Before the next phase can begin, which comes soon after the report: of a long one this takes half a second.
        del phase
        self._forget_phase()
        collect_seldom()
        self._tell(report)

    def _forget_phase(self) -> None:
        self.known.clear()
        for member in self._sockets.values():
            member.stays = dict.fromkeys(member.stays)
            member.waiting.clear()

    async def flush_regularly(self) -> None:
        """Move raw latencies into histograms in batches, and tell the driver of each second."""
        while True:
            await asyncio.sleep(FLUSH_S)
            phase = self._phase
            if phase is None:
                continue
            phase.flush()
            second = max(0, (time_ns() - phase.start_ns) // 1_000_000_000)
            if second > phase.second:
                self._tell(phase.close_second(second))

    async def watch_loop_lag(self) -> None:
        """How late the loop itself is, by a timer that has nothing to wait for; and whether the clock is stepped."""
        clock = ClockWatch()
        while True:
            due = time.monotonic_ns() + LAG_PROBE_NS
            await asyncio.sleep(LAG_PROBE_NS / 1e9)
            lag_ns, stepped_ns = max(0, time.monotonic_ns() - due), clock.stepped_ns()
            if self._phase is not None:
                self._phase.new_lag_ns += lag_over_time(lag_ns, LAG_PROBE_NS)
                self._phase.clock_stepped_ns += stepped_ns

    # --- probing

    async def _run_probe(self, request: msg.Probe) -> None:
        probe = self._probe = RunningProbe(list(self._sockets.values()), fragments=request.fragments)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(request.timeout_s):
                while not probe.complete.is_set():
                    probe.say_round()
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(probe.complete.wait(), PROBE_ROUND_S)
                # Then no test message can end up in the brokers' counts of the load.
                await probe.all_answered.wait()
        self._probe = None
        collect_seldom()  # the members are there, and no phase has begun
        self._tell(msg.Probed(problem=probe.problem()))


def _local_host(url: str, number: int) -> str | None:
    """The address to connect from: one address of this host has too few ports for very many members."""
    if number < MEMBERS_PER_ADDRESS or urlsplit(url).hostname != "127.0.0.1":
        return None
    return f"127.0.0.{2 + number // MEMBERS_PER_ADDRESS}"


async def run_audience(connected: socket.socket) -> None:
    """Serve the driver at the other end of the socket until it closes it."""
    collect_seldom()
    reader, writer = await asyncio.open_connection(sock=connected)
    audience = Audience(writer)
    helpers = [asyncio.create_task(audience.flush_regularly()), asyncio.create_task(audience.watch_loop_lag())]
    obeying = asyncio.create_task(audience.obey(reader))
    try:
        done, _ = await asyncio.wait([obeying, *helpers], return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for helper in helpers:
            helper.cancel()


def main() -> None:
    """`python -m harness.audience.engine FD`: the driver's end is the socket with that descriptor."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the driver decides when it ends
    uvloop.run(run_audience(socket.socket(fileno=int(sys.argv[1]))))


if __name__ == "__main__":
    run_child(main)
