"""A TCP proxy between gateways and a backend: `python -m harness.services.proxy CONTROL LISTEN:TARGET ...`, loopback.

Faults use it in two ways. While its process is stopped (SIGSTOP), nothing passes in either direction, connections stay
open and sent data waits, as when the network between two machines fails and comes back. On request it resets
connections, as a backend does that drops a client, or a firewall between the two.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import socket
import struct
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import psutil
import uvloop

from harness.core.errors import ServiceFailed
from harness.core.outermost import run_child
from harness.services.ports import free_ports
from harness.services.processes import Child, spawn, wait_until_listening

CHUNK_BYTES = 1 << 16
START_TIMEOUT_S = 15.0
ANSWER_TIMEOUT_S = 5.0
AT_ONCE = struct.pack("ii", 1, 0)  # SO_LINGER: unsent data is discarded, and the other side gets a reset


@dataclass(frozen=True, slots=True)
class Proxy:
    """A running proxy, seen from the process that started it."""

    child: Child
    ports: tuple[int, ...]  # that clients connect to
    control_port: int

    def reset(self, pid: int) -> int:
        """Reset all connections of that process; returns how many there were. Raises ServiceFailed."""
        connections = psutil.Process(pid).net_connections("tcp")
        from_ports = [each.laddr.port for each in connections if each.raddr and each.raddr.port in self.ports]
        try:
            with (
                socket.create_connection(("127.0.0.1", self.control_port), ANSWER_TIMEOUT_S) as asked,
                asked.makefile("rwb") as stream,
            ):
                stream.write(msgspec.json.encode(from_ports) + b"\n")
                stream.flush()
                return msgspec.json.decode(stream.readline(), type=int)
        except (OSError, msgspec.DecodeError) as problem:
            raise ServiceFailed(f"{self.child.name} did not close connections: {problem}") from problem


def start_proxy(name: str, ways: Sequence[tuple[int, int]], log: Path) -> Proxy:
    """Start a proxy that forwards each first port to the second; returns when it accepts connections."""
    (control_port,) = free_ports(1)
    argv = [sys.executable, "-m", __name__, str(control_port), *(f"{listen}:{to}" for listen, to in ways)]
    child = spawn(name, argv, log)
    ports = tuple(listen for listen, _ in ways)
    try:
        for port in (*ports, control_port):
            wait_until_listening(child, port, START_TIMEOUT_S)
    except BaseException:
        child.kill()
        raise
    return Proxy(child, ports, control_port)


class Connections:
    """The connections that pass through the proxy, by the client's port."""

    def __init__(self) -> None:
        self._writers: dict[int, asyncio.StreamWriter] = {}

    async def serve(self, control_port: int, ways: Sequence[tuple[int, int]]) -> None:
        """Forward connections until this is cancelled."""
        async with contextlib.AsyncExitStack() as stack:
            for listen, target in ways:
                server = await asyncio.start_server(functools.partial(self._carry, target), "127.0.0.1", listen)
                await stack.enter_async_context(server)
            await stack.enter_async_context(await asyncio.start_server(self._obey, "127.0.0.1", control_port))
            await asyncio.Event().wait()

    async def _carry(self, target: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            there_reader, there_writer = await asyncio.open_connection("127.0.0.1", target)
        except OSError:
            writer.transport.abort()  # as the target would do: nothing listens there
            return
        _host, from_port = writer.get_extra_info("peername")
        self._writers[from_port] = writer
        ways = [asyncio.create_task(_pump(reader, there_writer)), asyncio.create_task(_pump(there_reader, writer))]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            if self._writers.get(from_port) is writer:
                del self._writers[from_port]
            for way in ways:
                way.cancel()
            writer.close()
            there_writer.close()

    async def _obey(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Read lines, each a list of client ports; answer each with the number of connections that were reset."""
        with contextlib.suppress(OSError):
            while line := await reader.readline():
                closed = sum(self._reset(port) for port in msgspec.json.decode(line, type=list[int]))
                writer.write(msgspec.json.encode(closed) + b"\n")
        writer.close()

    def _reset(self, from_port: int) -> bool:
        writer = self._writers.pop(from_port, None)
        if writer is None:
            return False
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, AT_ONCE)
        writer.transport.abort()
        return True


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(CHUNK_BYTES):
            writer.write(data)
            await writer.drain()


def main() -> None:
    control_port, *ways = sys.argv[1:]
    pairs = [(int(listen), int(target)) for listen, target in (each.split(":") for each in ways)]
    uvloop.run(Connections().serve(int(control_port), pairs))


if __name__ == "__main__":
    run_child(main)
