"""What a gateway writes: WebSocket frames, made once however many members get them."""

from __future__ import annotations

from collections.abc import Iterable

from websockets.asyncio.server import ServerConnection
from websockets.frames import Frame, Opcode
from websockets.protocol import State


def framed(payload: bytes) -> bytes:
    """The whole text frame of a payload. A server's frames carry no mask, so every member gets the same bytes."""
    return Frame(Opcode.TEXT, payload).serialize(mask=False)


def write(members: Iterable[ServerConnection], frames: bytes) -> int:
    """Write whole frames to each of them without waiting for anybody; returns how many are there to get them.

    What bounds a slow member's buffer is session.cut_off_slow. `send` of the connection would make a frame for each
    member, `broadcast` for each member and message; both are a write for each message.
    """
    written = 0
    for member in members:
        if member.protocol.state is State.OPEN:  # after a close frame nothing may follow
            try:
                member.transport.write(frames)
            except (RuntimeError, OSError):  # its transport is closed already, and its session about to hear of it
                continue
            written += 1
    return written
