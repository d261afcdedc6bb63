"""A receiver for comparison: the websockets library's asyncio client on uvloop. `python -m ... URL MEMBERS`."""

from __future__ import annotations

import asyncio
import sys
import time

import uvloop
from websockets.asyncio.client import ClientConnection, connect

from benchmarks.one_room import ROOM
from harness.core import protocol as wire


async def hear(connection: ClientConnection, heard_ns: list[int]) -> None:
    async for _text in connection:
        heard_ns.append(time.time_ns())


async def main(url: str, members: int) -> None:
    heard_ns: list[int] = []
    tasks = []
    for _ in range(members):
        connection = await connect(url, compression=None, ping_interval=None)
        await connection.send(wire.encode(wire.Join(ROOM)), text=True)
        await connection.recv()
        tasks.append(asyncio.create_task(hear(connection, heard_ns)))
    print("connected", flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)
    print(len(heard_ns), flush=True)


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1], int(sys.argv[2])))
