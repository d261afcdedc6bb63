"""A TCP proxy between gateways and a backend: `python -m harness.services.proxy LISTEN:TARGET ...`, ports of loopback.

It is there to be stopped: while the process stands still (SIGSTOP) nothing passes in either direction, connections
stay open, and what was sent waits, as when a network between two machines fails and comes back.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import sys
from collections.abc import Sequence
from pathlib import Path

import uvloop

from harness.outermost import run_child
from harness.services.supervise import Child, spawn, wait_until_listening

CHUNK_BYTES = 1 << 16
START_TIMEOUT_S = 15.0


def start_proxy(name: str, ways: Sequence[tuple[int, int]], log: Path) -> Child:
    """A proxy from each first port to the second; returns when it accepts connections."""
    child = spawn(name, [sys.executable, "-m", __name__, *(f"{listen}:{to}" for listen, to in ways)], log)
    try:
        for listen, _ in ways:
            wait_until_listening(child, listen, START_TIMEOUT_S)
    except BaseException:
        child.kill()
        raise
    return child


async def serve(ways: Sequence[tuple[int, int]]) -> None:
    """Forward until cancelled."""
    async with contextlib.AsyncExitStack() as stack:
        for listen, target in ways:
            server = await asyncio.start_server(functools.partial(_carry, target), "127.0.0.1", listen)
            await stack.enter_async_context(server)
        await asyncio.Event().wait()


async def _carry(target: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        there_reader, there_writer = await asyncio.open_connection("127.0.0.1", target)
    except OSError:
        writer.transport.abort()  # as the target would: nobody listens
        return
    ways = [asyncio.create_task(_pump(reader, there_writer)), asyncio.create_task(_pump(there_reader, writer))]
    try:
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for way in ways:
            way.cancel()
        writer.close()
        there_writer.close()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(CHUNK_BYTES):
            writer.write(data)
            await writer.drain()


def main() -> None:
    ways = [(int(listen), int(target)) for listen, target in (each.split(":") for each in sys.argv[1:])]
    uvloop.run(serve(ways))


if __name__ == "__main__":
    run_child(main)
