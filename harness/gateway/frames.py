"""What a gateway writes: WebSocket frames, made once however many members get them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from websockets.asyncio.server import ServerConnection
from websockets.frames import Frame, Opcode
from websockets.protocol import State


def framed(payload: bytes) -> bytes:
    """The whole text frame of a payload. A server's frames carry no mask, so every member gets the same bytes."""
    return Frame(Opcode.TEXT, payload).serialize(mask=False)


def write(members: Iterable[ServerConnection], frames: bytes) -> int:
    """Write whole frames to those of them whose connection is open; returns how many are there to get them."""
    # After a close frame nothing may follow.
    return write_to([member.transport for member in members if member.protocol.state is State.OPEN], frames)


def write_to(transports: Iterable[Writable], frames: bytes) -> int:
    """Write the same bytes to all, without waiting for anybody; returns how many took them.

    What bounds a slow member's buffer is session.cut_off_slow. `send` of the connection would make a frame for each
    member, `broadcast` for each member and message; both are a write for each message.
    """
    taken = 0
    for transport in transports:
        try:
            transport.write(frames)
        except (RuntimeError, OSError):  # closed already, or closing: its session is about to hear of it
            continue
        taken += 1
    return taken


class Writable(Protocol):
    """The part of a transport that is needed here."""

    def write(self, data: bytes, /) -> None: ...


@dataclass(slots=True)
class HeldBytes:
    """What is held for all members of a gateway together."""

    max_bytes: int
    bytes: int = 0


class HeldFrames:
    """In the place of a transport, for as long as something else has to be written to it first."""

    def __init__(self, max_bytes: int, together: HeldBytes) -> None:
        self.frames: list[bytes] = []
        self.passed = False  # more came than may be held: it is no use any more, and nothing of it is kept
        self._max_bytes = max_bytes
        self._bytes = 0
        self._together = together

    def write(self, data: bytes, /) -> None:
        if self.passed:
            raise RuntimeError("more is held than a member may have unread")
        self._bytes += len(data)
        self._together.bytes += len(data)
        self.frames.append(data)
        if self._bytes > self._max_bytes or self._together.bytes > self._together.max_bytes:
            self.passed = True
            self.end()

    def end(self) -> None:
        """Nothing is held any more. Has to be called, once or more often."""
        self._together.bytes -= self._bytes
        self._bytes = 0
        self.frames.clear()


class Closing:
    """In the place of a transport on which a close frame is the last thing said."""

    def write(self, _data: bytes, /) -> None:
        raise RuntimeError("the connection is closing")


CLOSING = Closing()
