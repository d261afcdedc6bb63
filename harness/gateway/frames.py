"""The WebSocket frames that a gateway writes: each is made once, however many members get it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from websockets.asyncio.server import ServerConnection
from websockets.frames import Frame, Opcode
from websockets.protocol import State


def framed(payload: bytes) -> bytes:
    """Return the text frame of a payload. A server's frames are not masked, so every member gets the same bytes."""
    return Frame(Opcode.TEXT, payload).serialize(mask=False)


def write(members: Iterable[ServerConnection], frames: bytes) -> int:
    """Write whole frames to the members whose connections are open, and return how many took them."""
    # Nothing may follow a close frame.
    return write_to([member.transport for member in members if member.protocol.state is State.OPEN], frames)


def write_to(transports: Iterable[Writable], frames: bytes) -> int:
    """Write the same bytes to all transports without waiting, and return how many took them.

    session.cut_off_slow bounds the buffers of slow members. The library's `send` would make a frame for each member,
    and its `broadcast` one for each member and message; both need a write for each message.
    """
    taken = 0
    for transport in transports:
        try:
            transport.write(frames)
        except (RuntimeError, OSError):  # closed or closing; its session is about to notice
            continue
        taken += 1
    return taken


class Writable(Protocol):
    """The part of a transport that is needed here."""

    def write(self, data: bytes, /) -> None: ...


@dataclass(slots=True)
class HeldBytes:
    """The bytes that are held for all members of a gateway together, and their limit."""

    max_bytes: int
    bytes: int = 0


class HeldFrames:
    """Stands in for a transport and holds its frames, while history has to be written to the transport first."""

    def __init__(self, max_bytes: int, together: HeldBytes) -> None:
        self.frames: list[bytes] = []
        self.passed = False  # the limit was passed; all held frames were dropped
        self._max_bytes = max_bytes
        self._bytes = 0
        self._together = together

    def write(self, data: bytes, /) -> None:
        if self.passed:
            raise RuntimeError("the held frames passed the limit")
        self._bytes += len(data)
        self._together.bytes += len(data)
        self.frames.append(data)
        if self._bytes > self._max_bytes or self._together.bytes > self._together.max_bytes:
            self.passed = True
            self.end()

    def end(self) -> None:
        """Drop the held frames. It must be called at least once, to free their share of the common limit."""
        self._together.bytes -= self._bytes
        self._bytes = 0
        self.frames.clear()


class Closing:
    """Stands in for a transport on which nothing may follow the close frame."""

    def write(self, _data: bytes, /) -> None:
        raise RuntimeError("the connection is closing")


CLOSING = Closing()
