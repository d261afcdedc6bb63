"""Rooms and their local members, and the fan-out of what is said in a room to all of them."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Sequence

from websockets.asyncio.server import ServerConnection
from websockets.protocol import State

from architectures.interface import Delivery
from harness.gateway.frames import CLOSING, HeldBytes, HeldFrames, Writable, framed, write_to

WAITING_MAX_BYTES = 64 * 1024  # of one room; what is more is written at once
HELD_MAX_BYTES = 256 * 1024 * 1024
LOOK_EVERY_BYTES = 16 * 1024 * 1024


class Room:
    """The local members of one room, and the frames that wait to be written to all of them."""

    __slots__ = ("members", "waiting", "waiting_bytes", "written_s")

    def __init__(self) -> None:
        # A dict is used as an ordered set: members are served in the order they joined, the same for every
        # architecture. With each its transport: to look that up in a connection, whose memory is cold by then, was a
        # tenth of the fan-out.
        self.members: dict[ServerConnection, Writable] = {}
        self.waiting: list[bytes] = []
        self.waiting_bytes = 0
        self.written_s = -math.inf


class Rooms:
    """Who of this gateway's members is in which room, and what they are about to get.

    A room that was quiet for a tick is written to at once. In a busy one a message waits for a tick, and goes out in
    one write per member together with what came meanwhile. `tick_s` may change at any time.
    """

    def __init__(
        self, tick_s: float, held_max_bytes: int = HELD_MAX_BYTES, look_every_bytes: int = LOOK_EVERY_BYTES
    ) -> None:
        """`held_max_bytes`: of all members together, as `hold` for one. `look_every_bytes`: see `much_written`."""
        self.tick_s = tick_s
        self.held = HeldBytes(held_max_bytes)
        self._look_every_bytes = look_every_bytes
        self._rooms: dict[str, Room] = {}
        self._late: dict[Room, None] = {}  # rooms in which something waits for the timer
        self._timer: asyncio.TimerHandle | None = None
        self.frames_out = 0
        self.writes = 0
        self.bytes_out = 0
        self.much_written = asyncio.Event()  # so much that somebody should look for members who do not read
        self._looked_at_bytes = 0
        self.wasted = 0  # deliveries of rooms without a local member

    def add(self, name: str, member: ServerConnection) -> bool:
        """Returns whether this is the room's first local member."""
        room = self._rooms.get(name)
        if room is None:
            room = self._rooms[name] = Room()
        self._write(room)  # what waits came before the member did
        room.members[member] = _transport_of(member)
        return len(room.members) == 1

    def hold(self, name: str, member: ServerConnection, max_bytes: int) -> None:
        """Keep what is delivered from now on to that member of the room, until `release`; forget what was kept."""
        room = self._rooms.get(name)
        if room is not None and member in room.members:
            self._write(room)
            _end_hold(room.members[member])
            room.members[member] = HeldFrames(max_bytes, self.held)

    def release(self, name: str, member: ServerConnection, first: bytes) -> None:
        """Write `first` to that member, then what was held, then what is delivered; cut it off if that is too much."""
        room = self._rooms.get(name)
        if room is None or not isinstance(held := room.members.get(member), HeldFrames):
            return  # it left meanwhile, or is about to be sent a close frame
        self._write(room)
        room.members[member] = transport = _transport_of(member)
        if held.passed:
            member.transport.abort()
        else:
            write_to((transport,), b"".join((first, *held.frames)))
        held.end()

    def discard(self, name: str, member: ServerConnection) -> bool:
        """Returns whether that was the room's last local member."""
        room = self._rooms.get(name)
        if room is None or member not in room.members:
            return False
        self._write(room)  # what waits came before the member left
        _end_hold(room.members.pop(member))
        if room.members:
            return False
        del self._rooms[name]
        return True

    def remove(self, name: str) -> list[ServerConnection]:
        """Empty the room; returns who was in it, and has got everything."""
        room = self._rooms.pop(name, None)
        if room is None:
            return []
        self._write(room)
        for writable in room.members.values():
            _end_hold(writable)
        return list(room.members)

    def silence(self, name: str, member: ServerConnection) -> None:
        """Write nothing more to a member who is about to be sent a close frame, and is still in the room."""
        room = self._rooms.get(name)
        if room is not None and member in room.members:
            _end_hold(room.members[member])
            room.members[member] = CLOSING

    def looked(self) -> None:
        """Somebody has seen to it who reads and who does not."""
        self._looked_at_bytes = self.bytes_out
        self.much_written.clear()

    def end(self) -> None:
        """Write what waits, and nothing from now on: everybody is about to be sent a close frame."""
        self.write_all()
        self._rooms.clear()

    def __len__(self) -> int:
        return len(self._rooms)

    def deliver(self, batch: Sequence[Delivery]) -> None:
        """Write each payload, a finished text, to every local member of its room, at once or within a tick."""
        spoken: dict[Room, None] = {}
        for name, payload in batch:
            room = self._rooms.get(name)
            if room is None:
                self.wasted += 1
                continue
            frame = framed(payload)
            room.waiting.append(frame)
            room.waiting_bytes += len(frame)
            spoken[room] = None
        now_s = time.monotonic()
        for room in spoken:
            was_quiet = room not in self._late and now_s - room.written_s >= self.tick_s
            if was_quiet or room.waiting_bytes >= WAITING_MAX_BYTES:
                self._write(room)
            else:
                self._write_later(room)

    def write_all(self) -> None:
        """Write what waits anywhere."""
        late, self._late = self._late, {}
        for room in late:
            self._write(room)

    def _write_later(self, room: Room) -> None:
        self._late[room] = None
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self.tick_s, self._on_timer)

    def _on_timer(self) -> None:
        # All rooms, also those that have waited for less than a tick: one timer, however many rooms there are.
        self._timer = None
        self.write_all()

    def _write(self, room: Room) -> None:
        if not room.waiting:
            return
        frames, room.waiting, room.waiting_bytes = room.waiting, [], 0
        room.written_s = time.monotonic()
        together = frames[0] if len(frames) == 1 else b"".join(frames)
        written = write_to(room.members.values(), together)
        self.frames_out += len(frames) * written
        self.writes += written
        self.bytes_out += len(together) * written
        if self.bytes_out - self._looked_at_bytes >= self._look_every_bytes:
            self.much_written.set()


def _end_hold(writable: Writable) -> None:
    """Whoever stood in a room like that does so no longer."""
    if isinstance(writable, HeldFrames):
        writable.end()


def _transport_of(member: ServerConnection) -> Writable:
    return member.transport if member.protocol.state is State.OPEN else CLOSING
