"""The audience: one process that holds the sockets of all members, apart from Locust and its gevent.

It sends what members say, hears what gateways deliver, and keeps the ledger and the histograms. A chat frame is
the same bytes for every member of a room, so it is decoded once and looked up by its bytes afterwards.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import signal
import socket
import sys
import time
from collections import defaultdict
from collections.abc import Coroutine, Iterable
from typing import Any

import msgspec
import uvloop
from picows import WSFrame, WSListener, WSMsgType, WSTransport, ws_connect

from harness import wire
from harness.load import messages as msg
from harness.load.ledger import Message, Stay, sender_of
from harness.load.phase import Phase
from harness.load.probe import PROBE_BASE, RunningProbe

CONNECTING_MAX = 200
CONNECT_TIMEOUT_S = 20.0
KNOWN_FRAMES_MAX = 4096
FLUSH_S = 0.1
LAG_PROBE_S = 0.02
# A phase is over when nothing is owed any more and it has been quiet for a moment (a duplicate may follow), or when
# nothing at all has come for longer than any backend here takes, or when it never gets quiet.
QUIET_S = 0.25
NOTHING_COMES_S = 2.0
DRAIN_MAX_S = 10.0
PROBE_ROUND_S = 0.25
REDIRECTS_MAX = 30
REDIRECT_PAUSE_S = 0.05

time_ns = time.time_ns


class MemberSocket(WSListener):
    """One member's connection to one gateway."""

    def __init__(self, audience: Audience, number: int, url: str) -> None:
        self.audience = audience
        self.number = number
        self.url = url
        self.transport: WSTransport | None = None
        self.stays: dict[str, Stay | None] = {}  # rooms it is in; None while no phase is counted
        self.asked: set[str] = set()  # rooms it has asked for and got no answer yet

    @property
    def rooms(self) -> Iterable[str]:
        return self.stays

    def on_ws_connected(self, transport: WSTransport) -> None:
        self.transport = transport

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        now_ns = time_ns()
        if frame.msg_type == WSMsgType.TEXT:
            self.audience.heard(self, frame.get_payload_as_bytes(), now_ns)
        elif frame.msg_type == WSMsgType.CLOSE:
            transport.send_close(frame.get_close_code(), frame.get_close_message())
            transport.disconnect()

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        self.audience.disconnected(self, transport)

    def send(self, frame: wire.ClientFrame) -> None:
        assert self.transport is not None
        self.transport.send(WSMsgType.TEXT, wire.encode(frame))

    def end_stay(self, room: str, now_ns: int) -> None:
        """Somebody who is not in the room any more is owed nothing from now on."""
        stay = self.stays.pop(room, None)
        if stay is not None:
            stay.left_ns = now_ns


class Joining:
    """A member on the way into a room, which may lead past several gateways."""

    __slots__ = ("asked_ns", "connect_ms", "redirects")

    def __init__(self, asked_ns: int) -> None:
        self.asked_ns = asked_ns
        self.connect_ms: float | None = None  # how long the member's first connection took
        self.redirects = 0


class Audience:
    """All members of one Locust process."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self._writer = writer
        # A member has a connection to each gateway that serves one of its rooms: mostly one, several under plan2.
        self._sockets: dict[tuple[int, str], MemberSocket] = {}  # by member and gateway
        self._whereabouts: dict[tuple[int, str], MemberSocket] = {}  # by member and room: where it is joined
        self._joining: dict[tuple[int, str], Joining] = {}  # by member and room
        self._arrived: set[int] = set()  # members whose first connection was counted
        self._connecting = asyncio.Semaphore(CONNECTING_MAX)
        self._one_at_a_time: defaultdict[int, asyncio.Lock] = defaultdict(asyncio.Lock)  # a member's connecting
        self._known: dict[bytes, Message] = {}
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
        decode = msgspec.msgpack.Decoder(msg.ToAudience).decode
        with contextlib.suppress(asyncio.IncompleteReadError):
            while True:
                (length,) = msg.LENGTH.unpack(await reader.readexactly(msg.LENGTH.size))
                match decode(await reader.readexactly(length)):
                    case msg.Speak() as speak:
                        self._speak(speak)
                    case msg.Enter() as enter:
                        self._spawn(self._enter(enter))
                    case msg.Exit() as leave:
                        self._exit(leave)
                    case msg.Probe() as probe:
                        self._spawn(self._run_probe(probe))
                    case msg.BeginPhase() as begin:
                        self._begin(begin)
                    case msg.EndPhase():
                        self._spawn(self._end())
        self._stopping = True

    async def _enter(self, enter: msg.Enter) -> None:
        self._joining[enter.member, enter.room] = Joining(time_ns())
        await self._ask(enter.member, enter.url, enter.room)

    async def _ask(self, number: int, url: str, room: str) -> None:
        """Ask that gateway to let the member into the room, over a connection made for it if there is none."""
        try:
            member = await self._connected(number, url, self._joining[number, room])
        except Exception as problem:  # noqa: BLE001 - whatever kept the member out is told to the driver
            self._tell(msg.MemberFailed(member=number, reason=f"{type(problem).__name__}: {problem}"))
            return
        member.asked.add(room)
        member.send(wire.Join(room))

    async def _connected(self, number: int, url: str, joining: Joining) -> MemberSocket:
        async with self._one_at_a_time[number]:
            member = self._sockets.get((number, url))
            if member is not None:
                return member
            began_ns = time_ns()
            member = MemberSocket(self, number, url)
            async with self._connecting:
                await ws_connect(
                    lambda: member, url, websocket_handshake_timeout=CONNECT_TIMEOUT_S, enable_auto_pong=True
                )
            self._sockets[number, url] = member
            if number not in self._arrived:
                self._arrived.add(number)
                joining.connect_ms = (time_ns() - began_ns) / 1e6
            return member

    def _exit(self, leave: msg.Exit) -> None:
        self._joining.pop((leave.member, leave.room), None)
        member = self._whereabouts.pop((leave.member, leave.room), None)
        if member is not None:
            member.end_stay(leave.room, time_ns())
            member.send(wire.Leave(leave.room))

    def _speak(self, speak: msg.Speak) -> None:
        phase = self._phase
        if phase is None:
            return  # does not happen: EndPhase follows the last Speak on the same channel
        member = self._whereabouts.get((sender_of(speak.message_id), speak.room))
        if member is None or member.transport is None or member.transport.is_disconnected:
            phase.refused["not_in_the_room"] += 1
            return
        now_ns = time_ns()
        phase.ledger.say(speak.message_id, speak.room, speak.intended_ns, now_ns)
        phase.new_lateness_ns.append(now_ns - speak.intended_ns)
        phase.second_said += 1
        phase.unanswered += 1
        member.send(wire.Say(speak.room, speak.message_id, speak.text, speak.intended_ns))

    # --- what the gateways say

    def heard(self, member: MemberSocket, frame: bytes, now_ns: int) -> None:
        message = self._known.get(frame)
        if message is None:
            decoded = wire.decode_gateway_frame(frame)
            if not isinstance(decoded, wire.Chat):
                self._answered(member, decoded, now_ns)
                return
            if decoded.id >= PROBE_BASE:
                if self._probe is not None:
                    self._probe.heard(member, decoded)
                return
            message = None if self._phase is None else self._phase.ledger.messages.get(decoded.id)
            if message is None:
                if self._phase is not None:
                    self._phase.strays += 1
                return
            if len(self._known) >= KNOWN_FRAMES_MAX:
                self._known.clear()
            self._known[frame] = message
        phase = self._phase
        if phase is None:
            return
        stay = member.stays.get(message.room.name)
        if stay is None:
            phase.strays += 1
        elif stay.deliver(message, now_ns):
            phase.new_latency_ns.append(now_ns - message.intended_ns)

    def _answered(self, member: MemberSocket, frame: wire.GatewayFrame, now_ns: int) -> None:
        match frame:
            case wire.Ack(id=int(identity)) | wire.Error(id=int(identity)) if identity >= PROBE_BASE:
                if self._probe is not None:
                    self._probe.answered()
            case wire.Ack(identity):
                self._acked(identity, now_ns)
            case wire.Joined(room):
                self._joined(member, room, now_ns)
            case wire.Error(code, reason, identity):
                self._refused(member, code, reason, identity)
            case wire.Redirect(room, url):
                self._redirected(member, room, url, now_ns)

    def _acked(self, identity: int, now_ns: int) -> None:
        phase = self._phase
        message = None if phase is None else phase.ledger.messages.get(identity)
        if phase is None or message is None:
            return
        if phase.ledger.ack(message, now_ns):
            phase.unanswered -= 1
            phase.new_ack_ns.append(now_ns - message.intended_ns)
            phase.second_acked += 1

    def _refused(self, member: MemberSocket, code: str, reason: str, identity: int | None) -> None:
        if identity is None:
            self._tell(msg.MemberFailed(member=member.number, reason=f"{code}: {reason}"))
        elif self._phase is not None:
            self._phase.unanswered -= 1
            self._phase.refused[code] += 1

    def _joined(self, member: MemberSocket, room: str, now_ns: int) -> None:
        member.asked.discard(room)
        joining = self._joining.pop((member.number, room), None)
        if joining is None:  # it has left again meanwhile
            if room not in member.stays:
                member.send(wire.Leave(room))
            return
        if room not in member.stays:  # joining twice is staying once
            self._whereabouts[member.number, room] = member
            member.stays[room] = None if self._phase is None else self._phase.ledger.enter(room, now_ns)
        join_ms = (now_ns - joining.asked_ns) / 1e6
        self._tell(msg.Entered(member=member.number, room=room, connect_ms=joining.connect_ms, join_ms=join_ms))

    def _redirected(self, member: MemberSocket, room: str, url: str, now_ns: int) -> None:
        """The room is served elsewhere: ask there. Until then the member is not in it, and is owed nothing."""
        member.asked.discard(room)
        if self._whereabouts.pop((member.number, room), None) is not None:  # it was in, and the room has moved
            member.end_stay(room, now_ns)
            self._joining[member.number, room] = Joining(now_ns)
        joining = self._joining.get((member.number, room))
        if joining is None:  # it has left meanwhile
            return
        joining.redirects += 1
        if joining.redirects > REDIRECTS_MAX:
            reason = f"{room} was redirected {joining.redirects} times, at last from {member.url} to {url}"
            self._tell(msg.MemberFailed(member=member.number, reason=reason))
            return
        self._spawn(self._follow(member, url, room, joining.redirects))

    async def _follow(self, member: MemberSocket, url: str, room: str, redirects: int) -> None:
        # Usually the second gateway is the right one. More means that rooms are moving: give them time.
        await asyncio.sleep(REDIRECT_PAUSE_S * max(0, redirects - 2))
        if (member.number, room) in self._joining:
            await self._ask(member.number, url, room)
        if not member.stays and not member.asked and member.transport is not None:
            self._sockets.pop((member.number, member.url), None)
            member.transport.disconnect()

    def disconnected(self, member: MemberSocket, transport: WSTransport) -> None:
        if self._stopping or self._sockets.pop((member.number, member.url), None) is None:
            return
        self._arrived.discard(member.number)
        for room in list(member.stays):
            member.end_stay(room, time_ns())
            del self._whereabouts[member.number, room]
        if self._phase is not None:
            self._phase.disconnects += 1
        closing = transport.close_handshake
        told = None if closing is None else closing.recv
        why = "the gateway dropped the connection" if told is None else f"closed with {told.code}: {told.reason}"
        self._tell(msg.MemberFailed(member=member.number, reason=why))

    # --- phases

    def _begin(self, begin: msg.BeginPhase) -> None:
        self._known.clear()
        phase = Phase(begin)
        now_ns = time_ns()
        for member in self._sockets.values():
            for room in member.stays:
                member.stays[room] = phase.ledger.enter(room, now_ns)
        # What is alive now stays alive: without it a full collection stops the loop to walk all of it.
        gc.collect()
        gc.freeze()
        self._phase = phase

    async def _end(self) -> None:
        phase = self._phase
        assert phase is not None
        await self._drain(phase)
        phase.flush()
        self._tell(phase.close_second(phase.second + 1))
        self._phase = None
        self._tell(phase.result())

    async def _drain(self, phase: Phase) -> None:
        began = time.monotonic()
        changed = began
        before: tuple[object, ...] = ()
        while time.monotonic() - began < DRAIN_MAX_S:
            verdict = phase.ledger.verdict()
            now = (verdict, phase.unanswered)
            if now != before:
                before, changed = now, time.monotonic()
            quiet_s = time.monotonic() - changed
            owed = verdict.lost > 0 or phase.unanswered > 0
            if quiet_s > (NOTHING_COMES_S if owed else QUIET_S):
                return
            await asyncio.sleep(0.05)
        phase.drained = False

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
        """How late the loop itself is: the lateness of a timer that has nothing to wait for."""
        while True:
            due = time.monotonic_ns() + int(LAG_PROBE_S * 1e9)
            await asyncio.sleep(LAG_PROBE_S)
            if self._phase is not None:
                self._phase.loop_lag.record_ns([max(0, time.monotonic_ns() - due)])

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
        self._tell(msg.Probed(problem=probe.problem()))


async def run_audience(connected: socket.socket) -> None:
    """Serve the driver at the other end of the socket until it closes it."""
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
    """`python -m harness.load.audience FD`: the driver's end is the socket with that descriptor."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the driver decides when it ends
    uvloop.run(run_audience(socket.socket(fileno=int(sys.argv[1]))))


if __name__ == "__main__":
    main()
