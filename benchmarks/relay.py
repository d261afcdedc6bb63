"""A gateway reduced to its writing: each message goes to every member, as a frame encoded once.

`python -m benchmarks.relay PORT TICK_S`: with a tick, what came within it is written together, as a busy gateway does.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys

import uvloop
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from harness import wire


async def relay(port: int, tick_s: float) -> None:
    members: list[ServerConnection] = []
    waiting: list[bytes] = []

    async def serve_member(member: ServerConnection) -> None:
        with contextlib.suppress(ConnectionClosed):
            await obey(member)

    async def obey(member: ServerConnection) -> None:
        async for text in member:
            match wire.decode_client_frame(text):
                case wire.Join(room):
                    members.append(member)
                    await member.send(wire.encode(wire.Joined(room)), text=True)
                case wire.Say(room, identity, said, sent):
                    waiting.append(_frame(wire.encode(wire.Chat(room, "g", identity, sent, said))))
                    await member.send(wire.encode(wire.Ack(identity)), text=True)
                    if tick_s == 0:
                        flush()

    def flush() -> None:
        together = b"".join(waiting)
        waiting.clear()
        for member in members if together else ():
            member.transport.write(together)

    async with serve(serve_member, "127.0.0.1", port, compression=None, ping_interval=None):
        while True:
            await asyncio.sleep(tick_s or 3600)
            flush()


def _frame(text: bytes) -> bytes:
    size = len(text)
    return (bytes([0x81, size]) if size < 126 else bytes([0x81, 126]) + size.to_bytes(2, "big")) + text


if __name__ == "__main__":
    uvloop.run(relay(int(sys.argv[1]), float(sys.argv[2])))
