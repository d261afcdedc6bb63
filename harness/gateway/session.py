"""One member's session: handles the frames of its connection, and closes it when a frame or a limit is violated."""

from __future__ import annotations

import asyncio
import contextlib
import math
import time
from collections import Counter
from collections.abc import Coroutine, Mapping, Sequence
from functools import partial
from typing import Any, TypeVar

import msgspec
from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed
from websockets.frames import CloseCode
from websockets.protocol import State

from architectures.interface import HISTORY_MAX, Architecture, Moving, Rejected, not_traced
from harness.core import protocol as wire
from harness.gateway.frames import framed, write
from harness.gateway.member_connection import FLOOD, REASON_MAX_BYTES, MemberConnection, cut_to_bytes
from harness.gateway.rooms import CHECK_EVERY_BYTES, Rooms
from harness.gateway.settings import GatewaySettings, Limits
from harness.gateway.token_bucket import TokenBucket
from harness.gateway.trace import Trace

# The causes for which the WebSocket library closes a connection before a frame gets here.
CLOSED_BY_PROTOCOL: dict[int, str] = {
    CloseCode.PROTOCOL_ERROR: "protocol_error",
    CloseCode.INVALID_DATA: "bad_utf8",
    CloseCode.MESSAGE_TOO_BIG: "message_too_big",
}

ERROR_MAX_BYTES = 500
Member = TypeVar("Member")
Answer = TypeVar("Answer")

ROOM_LOCKS = 256
MOVING_CHECK_S = 0.02


class Hub:
    """The state that all sessions of a gateway share."""

    def __init__(self, settings: GatewaySettings, architecture: Architecture) -> None:
        self.gateway = settings.index
        self.peers = dict(enumerate(settings.peers))  # URLs, by index, of all known gateways
        self.architecture = architecture
        self.limits = settings.limits
        all_members_bytes = self.limits.send_buffers_max_bytes
        check_every_bytes = min(CHECK_EVERY_BYTES, all_members_bytes // 4)
        self.rooms = Rooms(settings.tick_s or 0.0, all_members_bytes, check_every_bytes)
        self._trace_end: asyncio.TimerHandle | None = None
        self.trace_one_in(settings.trace_one_in)
        self.sessions: dict[ServerConnection, Session] = {}
        self.counts: Counter[str] = Counter()  # events, with every drop by its cause
        self.publishing_bytes = 0  # of messages that the backend has not answered yet
        self.history_slots = asyncio.Semaphore(self.limits.history_at_once_max)
        self._changes = [asyncio.Lock() for _ in range(ROOM_LOCKS)]

    def trace_one_in(self, one_in: int, for_s: float = math.inf) -> None:
        """Note from now on, and for so long, when one in so many messages passes here; 0: none."""
        if self._trace_end is not None:
            self._trace_end.cancel()
            self._trace_end = None
        if one_in and for_s < math.inf:
            self._trace_end = asyncio.get_running_loop().call_later(for_s, self.trace_one_in, 0)
        self.trace = self.rooms.trace = Trace(one_in) if one_in else None
        self.architecture.mark = not_traced if self.trace is None else self.trace.mark

    async def enter(self, room: str, member: ServerConnection, *, held: bool) -> int:
        """Add the member if this gateway serves the room, and return the gateway that does. Raises Moving.

        Returns after the architecture has joined the room for its first local member. With `held`, the member's frames
        are held until `release`.
        """
        async with self._change_of(room):
            # Nothing is awaited between `owner` and `add`, so the answer still holds, or `moved` finds the member.
            owner = self.architecture.owner(room)
            if owner is not None and owner != self.gateway:
                if owner not in self.peers:
                    raise Moving(f"the address of gateway {owner} is not known yet")
                return owner
            is_first = self.rooms.add(room, member)
            if held:
                self.hold(room, member)
            if is_first:
                await self.architecture.join(room)
            return self.gateway

    def hold(self, room: str, member: ServerConnection) -> None:
        """Hold the room's frames for this member, up to a member's limit; see Rooms.hold."""
        self.rooms.hold(room, member, self.limits.send_buffer_max_bytes)

    def buffered_bytes(self) -> dict[str, int]:
        """Return how many bytes this gateway holds now, by what they wait for."""
        return {
            "backend": self.publishing_bytes,
            "history": self.rooms.held.bytes,
            "members": sum(member.transport.get_write_buffer_size() for member in self.sessions),
        }

    def moved(self, rooms: Sequence[str]) -> None:
        """Redirect the members of these rooms, so that they join again at the new owner; empties the rooms."""
        for room in rooms:
            members = self.rooms.remove(room)
            self.counts["moved"] += len(members)
            for member in members:
                if (session := self.sessions.get(member)) is not None:  # else the member is just leaving
                    session.forget(room)
            redirect = framed(wire.encode(wire.Redirect(room, self.peers[self.gateway])))
            write(members, redirect)

    async def exit(self, room: str, member: ServerConnection) -> None:
        """Remove the member; the architecture leaves the room with its last local member."""
        async with self._change_of(room):
            if self.rooms.discard(room, member):
                await self.architecture.leave(room)

    def _change_of(self, room: str) -> asyncio.Lock:
        # A join must not overtake a leave of the same room. The number of locks does not grow with the number of rooms.
        return self._changes[hash(room) % len(self._changes)]


class Session:
    """Serves one connection until it closes."""

    def __init__(self, hub: Hub, connection: MemberConnection, name: str) -> None:
        self._hub = hub
        self._connection = connection
        self._name = name
        self._rooms: set[str] = set()
        self._publishing: set[asyncio.Task[None]] = set()
        self._publishing_bytes = 0
        self._answered = asyncio.Event()  # set when the backend has answered one of this member's messages
        self._joins = TokenBucket(hub.limits.joins_per_s, hub.limits.joins_burst)
        self._history_requests = TokenBucket(hub.limits.history_per_s, hub.limits.history_burst)

    async def serve(self) -> None:
        hub = self._hub
        hub.sessions[self._connection] = self
        try:
            async for frame in self._connection:
                if not await self._handle(frame):
                    break
        except ConnectionClosed as closed:
            if self._connection.flooded:
                hub.counts[f"closed_{FLOOD}"] += 1
            elif closed.sent is not None and closed.sent.code in CLOSED_BY_PROTOCOL:
                hub.counts[f"closed_{CLOSED_BY_PROTOCOL[closed.sent.code]}"] += 1
            elif closed.sent is None and closed.rcvd is None:
                hub.counts["vanished"] += 1  # the connection was reset, or the peer was silent for too long
        finally:
            hub.sessions.pop(self._connection, None)
            for room in list(self._rooms):
                await hub.exit(room, self._connection)

    async def _handle(self, frame: str | bytes) -> bool:
        """Handle one frame; returns False if it caused the connection to be closed."""
        if isinstance(frame, bytes):
            return await self._close(CloseCode.UNSUPPORTED_DATA, "binary_frame", "frames are JSON text, not binary")
        try:
            request = wire.decode_client_frame(frame)
        except (msgspec.DecodeError, RecursionError) as problem:
            # The problem may quote the frame, which may be long.
            reason = cut_to_bytes(f"not a frame of the protocol: {problem}", ERROR_MAX_BYTES)
            return await self._close(CloseCode.INVALID_DATA, "bad_frame", reason)
        match request:
            case wire.Say():
                return await self._say(request)
            case wire.Join():
                # A member that has gone meanwhile must not cause work for the backend.
                return not self._is_open() or await self._join(request.room, request.after)
            case wire.Leave():
                return await self._leave(request.room)

    def _is_open(self) -> bool:
        return self._connection.protocol.state is State.OPEN

    async def _join(self, room: str, after_ns: int | None) -> bool:
        if not self._joins.take():
            reason = f"a member may join {self._hub.limits.joins_per_s:g} rooms a second"
            return await self._close(CloseCode.POLICY_VIOLATION, "too_many_joins", reason)
        if room not in self._rooms:
            limit = self._hub.limits.rooms_per_member_max
            if len(self._rooms) >= limit:
                reason = f"a member may be in at most {limit} rooms"
                return await self._close(CloseCode.POLICY_VIOLATION, "too_many_rooms", reason)
            self._rooms.add(room)
            if not self._hub.architecture.promises.history:
                after_ns = None
            try:
                server = await self._enter(room, held=after_ns is not None)
            except Moving:
                self._rooms.discard(room)
                self._hub.counts["refused_moving"] += 1
                self._send(wire.Error("moving", f"no gateway serves {room!r} at the moment; join it again later"))
                return True
            if server != self._hub.gateway:
                self._rooms.discard(room)
                self._hub.counts["redirected"] += 1
                self._send(wire.Redirect(room, self._hub.peers[server]))
                return True
            if after_ns is not None:
                await self._catch_up(room, after_ns)
                return True
        self._send(wire.Joined(room))
        return True

    async def _catch_up(self, room: str, after_ns: int) -> None:
        """Send `joined` and the room's history since `after_ns`, then the frames that were held meanwhile."""
        hub = self._hub
        missed: Sequence[bytes] = ()
        earliest_s = time.time() - hub.limits.history_max_s
        try:
            history = await self._while_open(self._read_history(room, max(after_ns / 1e9, earliest_s)))
        except Rejected:
            hub.counts["history_refused"] += 1
            complete = False
        else:
            if history is None:
                hub.counts["history_abandoned"] += 1
                return
            missed = newest(history, hub.limits.history_max_bytes)
            complete = len(missed) == len(history) < HISTORY_MAX and after_ns / 1e9 >= earliest_s
        hub.counts["replayed"] += len(missed)
        joined = wire.Joined(room, len(missed), incomplete=not complete)
        frames = b"".join(framed(payload) for payload in (wire.encode(joined), *missed))
        hub.rooms.release(room, self._connection, frames)

    async def _read_history(self, room: str, after_s: float) -> Sequence[bytes]:
        if not self._history_requests.take_if_there():
            raise Rejected(f"a member may ask for history {self._hub.limits.history_per_s:g} times a second")
        async with self._hub.history_slots:
            # The frames held so far are part of the history, so hold from here on. Nothing may be awaited in between,
            # or a message could be in both.
            self._hub.hold(room, self._connection)
            return await self._hub.architecture.history(room, after_s)

    async def _while_open(self, work: Coroutine[Any, Any, Answer]) -> Answer | None:
        """Return the result of `work`; if the connection closes first, cancel it and return None."""
        task, closed = asyncio.create_task(work), asyncio.create_task(self._connection.wait_closed())
        try:
            await asyncio.wait((task, closed), return_when=asyncio.FIRST_COMPLETED)
            return await task if task.done() else None
        finally:
            task.cancel()
            closed.cancel()

    async def _enter(self, room: str, *, held: bool) -> int:
        """Call Hub.enter, and wait while the room moves between gateways. Raises Moving after `moving_max_s`."""
        deadline = time.monotonic() + self._hub.limits.moving_max_s
        while True:
            try:
                return await self._hub.enter(room, self._connection, held=held)
            except Moving:
                if time.monotonic() > deadline:
                    raise
                await asyncio.sleep(MOVING_CHECK_S)

    def silence(self) -> None:
        """Stop all deliveries, because none may follow the close frame that is about to be sent."""
        for room in self._rooms:
            self._hub.rooms.silence(room, self._connection)

    def forget(self, room: str) -> None:
        """Forget a room that another gateway serves from now on; the hub redirects the member."""
        self._rooms.discard(room)

    async def _leave(self, room: str) -> bool:
        if room in self._rooms:
            self._rooms.discard(room)
            await self._hub.exit(room, self._connection)
        return True

    async def _say(self, request: wire.Say) -> bool:
        if request.room not in self._rooms:
            self._hub.counts["refused_not_joined"] += 1
            self._send(wire.Error("not_joined", f"join {request.room!r} before sending a message to it", request.id))
            return True
        if self._hub.trace is not None:
            self._hub.trace.received(request.id)
        chat = wire.encode(wire.Chat(request.room, self._name, request.id, request.sent, request.text))
        # Backpressure: stop reading from this member while too many of its messages wait for the backend.
        while not self._may_publish(len(chat)):
            self._answered.clear()
            await self._answered.wait()
        if self._hub.publishing_bytes + len(chat) > self._hub.limits.publishing_max_bytes:
            self._hub.counts["refused_full"] += 1
            reason = "too many messages wait for the backend here; send it again later"
            self._send(wire.Error("full", reason, request.id))
            return True
        self._count_publishing(len(chat))
        publishing = asyncio.create_task(self._publish(request.room, request.id, chat))
        self._publishing.add(publishing)
        publishing.add_done_callback(partial(self._published, len(chat)))
        return True

    def _may_publish(self, size_bytes: int) -> bool:
        limits, waiting = self._hub.limits, len(self._publishing)
        return waiting == 0 or (
            waiting < limits.publishing_per_member_max
            and self._publishing_bytes + size_bytes <= limits.publishing_per_member_max_bytes
        )

    def _count_publishing(self, size_bytes: int) -> None:
        self._publishing_bytes += size_bytes
        self._hub.publishing_bytes += size_bytes

    def _published(self, size_bytes: int, task: asyncio.Task[None]) -> None:
        self._publishing.discard(task)
        self._count_publishing(-size_bytes)
        self._answered.set()

    async def _publish(self, room: str, message_id: int, chat: bytes) -> None:
        counts = self._hub.counts
        counts["said"] += 1
        try:
            await self._hub.architecture.publish(room, chat)
        except Rejected as refused:
            counts["refused_by_backend"] += 1
            self._send(wire.Error("not_accepted", str(refused), message_id))
        else:
            counts["acked"] += 1
            if self._hub.trace is not None:
                self._hub.trace.accepted(message_id)
            self._send(wire.Ack(message_id))

    def _send(self, frame: wire.GatewayFrame) -> None:
        if not write((self._connection,), framed(wire.encode(frame))):
            self._hub.counts["unsent_member_gone"] += 1

    async def _close(self, code: CloseCode, name: str, reason: str) -> bool:
        self._hub.counts[f"closed_{name}"] += 1
        self._send(wire.Error(name, reason))
        self.silence()
        await self._connection.close(code, cut_to_bytes(reason, REASON_MAX_BYTES))
        return False


def newest(payloads: Sequence[bytes], max_bytes: int) -> Sequence[bytes]:
    """Return the last payloads that have at most `max_bytes` bytes together."""
    for index in range(len(payloads) - 1, -1, -1):
        max_bytes -= len(payloads[index])
        if max_bytes < 0:
            return payloads[index + 1 :]
    return payloads


async def cut_off_slow(hub: Hub) -> None:
    """Close members whose unread bytes pass a limit, so that memory stays bounded. Runs until cancelled."""
    closing: dict[ServerConnection, asyncio.Task[None]] = {}
    while True:
        # Check regularly, and also after so many bytes that a limit may have been passed meanwhile.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(hub.limits.slow_check_s):
                await hub.rooms.much_written.wait()
        hub.rooms.slow_members_checked()
        # A closed member counts until its session has ended: its transport may report unread bytes for a moment longer.
        for member in [member for member, task in closing.items() if task.done() and member not in hub.sessions]:
            del closing[member]
        unread = {m: m.transport.get_write_buffer_size() for m in hub.sessions if m not in closing}
        for member in too_slow(unread, hub.limits):
            hub.counts["cut_off_slow"] += 1
            hub.sessions[member].silence()
            closing[member] = asyncio.create_task(_cut_off(member))


def too_slow(unread: Mapping[Member, int], limits: Limits) -> list[Member]:
    """Return the members to cut off, with the most unread bytes first.

    They are those whose unread bytes exceed the per-member limit, and more while the total exceeds the common limit.
    """
    slow: list[Member] = []
    total_bytes = sum(unread.values())
    if total_bytes <= min(limits.send_buffer_max_bytes, limits.send_buffers_max_bytes):
        return slow  # the usual case, in which thousands of members need not be sorted
    for member, unread_bytes in sorted(unread.items(), key=lambda item: item[1], reverse=True):
        if unread_bytes <= limits.send_buffer_max_bytes and total_bytes <= limits.send_buffers_max_bytes:
            break
        slow.append(member)
        total_bytes -= unread_bytes
    return slow


async def _cut_off(member: ServerConnection) -> None:
    # The close frame waits behind the unread bytes, so the socket is closed after a second in any case.
    try:
        async with asyncio.timeout(1.0):
            await member.close(CloseCode.TRY_AGAIN_LATER, "too slow: unread messages passed the limit")
    except TimeoutError:
        member.transport.abort()
