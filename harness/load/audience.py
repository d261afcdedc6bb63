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

time_ns = time.time_ns


class MemberSocket(WSListener):
    """One member's connection."""

    def __init__(self, audience: Audience, number: int, url: str) -> None:
        self.audience = audience
        self.number = number
        self.url = url
        self.transport: WSTransport | None = None
        self.stays: dict[str, Stay | None] = {}  # rooms it is in; None while no phase is counted
        self.joining: dict[str, tuple[int, float | None]] = {}  # room -> (asked at, how long connecting took)

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


class Audience:
    """All members of one Locust process."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self._writer = writer
        self._members: dict[int, MemberSocket] = {}
        self._connecting = asyncio.Semaphore(CONNECTING_MAX)
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
        connect_ms = None
        member = self._members.get(enter.member)
        if member is None:
            began_ns = time_ns()
            member = MemberSocket(self, enter.member, enter.url)
            try:
                async with self._connecting:
                    await ws_connect(
                        lambda: member,
                        enter.url,
                        websocket_handshake_timeout=CONNECT_TIMEOUT_S,
                        enable_auto_pong=True,
                    )
            except Exception as problem:  # noqa: BLE001 - whatever kept the member out is told to the driver
                self._tell(msg.MemberFailed(member=enter.member, reason=f"{type(problem).__name__}: {problem}"))
                return
            self._members[enter.member] = member
            connect_ms = (time_ns() - began_ns) / 1e6
        member.joining[enter.room] = (time_ns(), connect_ms)
        member.send(wire.Join(enter.room))

    def _exit(self, leave: msg.Exit) -> None:
        member = self._members.get(leave.member)
        if member is None or leave.room not in member.stays:
            return
        stay = member.stays.pop(leave.room)
        if stay is not None:
            stay.left_ns = time_ns()
        member.send(wire.Leave(leave.room))

    def _speak(self, speak: msg.Speak) -> None:
        phase = self._phase
        if phase is None:
            return  # does not happen: EndPhase follows the last Speak on the same channel
        member = self._members.get(sender_of(speak.message_id))
        if member is None or member.transport is None or member.transport.is_disconnected:
            phase.refused["not_connected"] += 1
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
                self._tell(msg.MemberFailed(member=member.number, reason=f"{room} is served by {url}"))

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
        asked_ns, connect_ms = member.joining.pop(room, (now_ns, None))
        if room not in member.stays:  # joining twice is staying once
            member.stays[room] = None if self._phase is None else self._phase.ledger.enter(room, now_ns)
        join_ms = (now_ns - asked_ns) / 1e6
        self._tell(msg.Entered(member=member.number, room=room, connect_ms=connect_ms, join_ms=join_ms))

    def disconnected(self, member: MemberSocket, transport: WSTransport) -> None:
        if self._stopping or self._members.pop(member.number, None) is None:
            return
        for stay in member.stays.values():
            if stay is not None:
                stay.left_ns = time_ns()
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
        for member in self._members.values():
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
        probe = self._probe = RunningProbe(self._members.values(), fragments=request.fragments)
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
