"""A gateway reduced to its fan-out, as in the documentation of websockets: `broadcast` for each message.

`python -m benchmarks.websockets_broadcast PORT`
"""

from __future__ import annotations

import asyncio
import contextlib
import sys

import uvloop
from websockets.asyncio.server import ServerConnection, broadcast, serve
from websockets.exceptions import ConnectionClosed

from harness.core import protocol as wire


async def relay(port: int) -> None:
    members: dict[ServerConnection, None] = {}

    async def serve_member(member: ServerConnection) -> None:
        with contextlib.suppress(ConnectionClosed):
            await obey(member)
        members.pop(member, None)

    async def obey(member: ServerConnection) -> None:
        async for text in member:
            match wire.decode_client_frame(text):
                case wire.Join(room):
                    members[member] = None
                    await member.send(wire.encode(wire.Joined(room)), text=True)
                case wire.Say(room, identity, said, sent):
                    await member.send(wire.encode(wire.Ack(identity)), text=True)
                    broadcast(members, wire.encode(wire.Chat(room, "g0-1", identity, sent, said)), text=True)

    async with serve(serve_member, "127.0.0.1", port, compression=None, ping_interval=None):
        await asyncio.get_running_loop().create_future()


if __name__ == "__main__":
    uvloop.run(relay(int(sys.argv[1])))
