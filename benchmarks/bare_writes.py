"""The minimum that a gateway on uvloop can do: encode a frame once and write it to each member, at once or per tick.

`python -m benchmarks.bare_writes TICK_S PORT`. It has no rooms, limits, counters or checks: only the kernel works.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys

import uvloop
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from harness.core import protocol as wire
from harness.gateway.frames import framed


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
                    waiting.append(framed(wire.encode(wire.Chat(room, "g0-1", identity, sent, said))))
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


if __name__ == "__main__":
    uvloop.run(relay(int(sys.argv[2]), float(sys.argv[1])))
