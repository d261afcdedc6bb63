"""The rooms of a gateway, and the fan-out of each message to a room's local members."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Sequence

from websockets.asyncio.server import ServerConnection
from websockets.protocol import State

from architectures.interface import Delivery
from harness.gateway.frames import CLOSING, HeldBytes, HeldFrames, Writable, framed, write_to
from harness.gateway.trace import Trace

WAITING_MAX_BYTES = 64 * 1024  # of one room; when this is reached, all of it is written at once
HELD_MAX_BYTES = 256 * 1024 * 1024
CHECK_EVERY_BYTES = 16 * 1024 * 1024


class Room:
    """The local members of one room, and the frames that wait to be written to all of them."""

    __slots__ = ("members", "traced", "waiting", "waiting_bytes", "written_s")

    def __init__(self) -> None:
        # The dict keeps members in the order they joined, so they are served in the same order by every architecture.
        # It stores each member's transport, because looking it up in the connection, whose memory is cold by then, took
        # a tenth of the fan-out.
        self.members: dict[ServerConnection, Writable] = {}
        self.waiting: list[bytes] = []
        self.waiting_bytes = 0
        self.written_s = -math.inf
        self.traced: list[int] = []  # ids of those that wait and are traced


class Rooms:
    """The members of each room on this gateway, and the frames that are waiting for them.

    A room that was quiet for a tick is written to at once. In a busy room, messages wait for a tick and go out in one
    write per member. `tick_s` may be changed at any time.
    """

    def __init__(
        self,
        tick_s: float,
        held_max_bytes: int = HELD_MAX_BYTES,
        check_every_bytes: int = CHECK_EVERY_BYTES,
    ) -> None:
        """`held_max_bytes` limits what is held for all members together; see `much_written` for `check_every_bytes`."""
        self.tick_s = tick_s
        self.trace: Trace | None = None
        self.held = HeldBytes(held_max_bytes)
        self._check_every_bytes = check_every_bytes
        self._rooms: dict[str, Room] = {}
        self._waiting_rooms: dict[Room, None] = {}  # rooms whose frames wait for the timer
        self._timer: asyncio.TimerHandle | None = None
        self.frames_out = 0
        self.writes = 0
        self.bytes_out = 0
        self.much_written = asyncio.Event()  # set after `check_every_bytes`: look for members that read too slowly
        self._checked_at_bytes = 0
        self.wasted = 0  # deliveries of rooms without a local member

    def add(self, name: str, member: ServerConnection) -> bool:
        """Add a member to a room; returns whether it is the room's first local member."""
        room = self._rooms.get(name)
        if room is None:
            room = self._rooms[name] = Room()
        self._write(room)  # the waiting frames came before this member joined
        room.members[member] = _transport_of(member)
        return len(room.members) == 1

    def hold(self, name: str, member: ServerConnection, max_bytes: int) -> None:
        """Hold the room's frames for this member from now on, until `release`; drop the frames held so far."""
        room = self._rooms.get(name)
        if room is not None and member in room.members:
            self._write(room)
            _end_hold(room.members[member])
            room.members[member] = HeldFrames(max_bytes, self.held)

    def release(self, name: str, member: ServerConnection, first: bytes) -> None:
        """Write `first` and then the held frames to this member, and stop holding; cut it off if they were too many."""
        room = self._rooms.get(name)
        if room is None or not isinstance(held := room.members.get(member), HeldFrames):
            return  # the member has left meanwhile, or is about to be closed
        self._write(room)
        room.members[member] = transport = _transport_of(member)
        if held.passed:
            member.transport.abort()
        else:
            write_to((transport,), b"".join((first, *held.frames)))
        held.end()

    def discard(self, name: str, member: ServerConnection) -> bool:
        """Remove a member from a room; returns whether it was the room's last local member."""
        room = self._rooms.get(name)
        if room is None or member not in room.members:
            return False
        self._write(room)  # the waiting frames came before this member left
        _end_hold(room.members.pop(member))
        if room.members:
            return False
        del self._rooms[name]
        return True

    def remove(self, name: str) -> list[ServerConnection]:
        """Remove the room, after writing its waiting frames; returns its members."""
        room = self._rooms.pop(name, None)
        if room is None:
            return []
        self._write(room)
        for writable in room.members.values():
            _end_hold(writable)
        return list(room.members)

    def silence(self, name: str, member: ServerConnection) -> None:
        """Write nothing more of this room to a member that is about to get a close frame, but is still in the room."""
        room = self._rooms.get(name)
        if room is not None and member in room.members:
            _end_hold(room.members[member])
            room.members[member] = CLOSING

    def slow_members_checked(self) -> None:
        """Reset `much_written`, after the members that read too slowly were found."""
        self._checked_at_bytes = self.bytes_out
        self.much_written.clear()

    def end(self) -> None:
        """Write the waiting frames, and nothing afterwards: all members are about to get a close frame."""
        self.write_all()
        self._rooms.clear()

    def __len__(self) -> int:
        return len(self._rooms)

    def deliver(self, batch: Sequence[Delivery]) -> None:
        """Write each payload, the text of a complete frame, to all local members of its room, within a tick."""
        updated: dict[Room, None] = {}
        for name, payload in batch:
            room = self._rooms.get(name)
            if room is None:
                self.wasted += 1
                continue
            frame = framed(payload)
            room.waiting.append(frame)
            room.waiting_bytes += len(frame)
            updated[room] = None
            if self.trace is not None and (identity := self.trace.read(payload)) is not None:
                room.traced.append(identity)
        now_s = time.monotonic()
        for room in updated:
            was_quiet = room not in self._waiting_rooms and now_s - room.written_s >= self.tick_s
            if was_quiet or room.waiting_bytes >= WAITING_MAX_BYTES:
                self._write(room)
            else:
                self._write_later(room)

    def write_all(self) -> None:
        """Write the waiting frames of all rooms."""
        waiting_rooms, self._waiting_rooms = self._waiting_rooms, {}
        for room in waiting_rooms:
            self._write(room)

    def _write_later(self, room: Room) -> None:
        self._waiting_rooms[room] = None
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self.tick_s, self._on_timer)

    def _on_timer(self) -> None:
        # One timer serves all rooms, so some of them have waited for less than a tick.
        self._timer = None
        self.write_all()

    def _write(self, room: Room) -> None:
        if not room.waiting:
            return
        frames, room.waiting, room.waiting_bytes = room.waiting, [], 0
        room.written_s = time.monotonic()
        together = frames[0] if len(frames) == 1 else b"".join(frames)
        began_ns = time.time_ns() if room.traced else 0
        written = write_to(room.members.values(), together)
        if room.traced:
            if self.trace is not None:
                self.trace.written(room.traced, began_ns, time.time_ns())
            room.traced = []
        self.frames_out += len(frames) * written
        self.writes += written
        self.bytes_out += len(together) * written
        if self.bytes_out - self._checked_at_bytes >= self._check_every_bytes:
            self.much_written.set()


def _end_hold(writable: Writable) -> None:
    """Drop the frames that are held for a member, if there are any."""
    if isinstance(writable, HeldFrames):
        writable.end()


def _transport_of(member: ServerConnection) -> Writable:
    return member.transport if member.protocol.state is State.OPEN else CLOSING
