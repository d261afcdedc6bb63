"""Rooms and their local members, and the fan-out of one payload to all of them."""

from __future__ import annotations

from collections.abc import Sequence

from websockets.asyncio.server import ServerConnection, broadcast

from architectures.interface import Delivery


class Rooms:
    """Who of this gateway's members is in which room."""

    def __init__(self) -> None:
        # A dict is used as an ordered set: members are served in the order they joined, the same for every
        # architecture.
        self._members: dict[str, dict[ServerConnection, None]] = {}
        self.frames_out = 0
        self.wasted = 0  # deliveries of rooms without a local member

    def add(self, room: str, member: ServerConnection) -> bool:
        """Returns whether this is the room's first local member."""
        members = self._members.setdefault(room, {})
        members[member] = None
        return len(members) == 1

    def discard(self, room: str, member: ServerConnection) -> bool:
        """Returns whether that was the room's last local member."""
        members = self._members.get(room)
        if members is None or member not in members:
            return False
        del members[member]
        if members:
            return False
        del self._members[room]
        return True

    def remove(self, room: str) -> list[ServerConnection]:
        """Empty the room; returns who was in it."""
        return list(self._members.pop(room, ()))

    def __len__(self) -> int:
        return len(self._members)

    def deliver(self, batch: Sequence[Delivery]) -> None:
        """Write each payload, a finished frame, to every local member of its room."""
        for room, payload in batch:
            members = self._members.get(room)
            if members is None:
                self.wasted += 1
            else:
                self.frames_out += len(members)
                # Writes without waiting for anybody; what bounds a slow member's buffer is session.cut_off_slow.
                broadcast(members, payload, text=True)
