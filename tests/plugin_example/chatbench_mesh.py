"""mesh: every gateway is connected to every other one, and writes each message to all of them. No broker.

    member -> gateway -> every gateway, itself included -> its members

The example of a plug-in: one module, one entry point (pyproject.toml), nothing else.
"""

from __future__ import annotations

import asyncio
import struct
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from chatbench import (
    Architecture,
    BadTopology,
    Delivery,
    Promises,
    Rejected,
    Requirements,
    Services,
    Topology,
)

HEAD = struct.Struct(">HI")  # bytes of the room's name, bytes of the payload
CONNECT_EVERY_S = 0.02


class Mesh(Architecture):
    name: ClassVar[str] = "mesh"
    summary: ClassVar[str] = "no broker: every gateway writes to every other one"
    requires: ClassVar[Requirements] = Requirements()
    promises: ClassVar[Promises] = Promises(everyone=True, once=True, ordered=True, durable_ack=False)
    options: ClassVar[Mapping[str, float | str]] = {"unsent_bytes_max": 65_536}  # for one gateway, before an ack waits

    @classmethod
    def check(cls, topology: Topology) -> None:
        if (most := int(topology.options["unsent_bytes_max"])) < 0:
            raise BadTopology(f"--arch-set unsent_bytes_max is {most}, but it must be 0 or more bytes")

    @classmethod
    def provision(cls, services: Services, topology: Topology) -> None:
        """Nothing to make."""

    def _address(self, gateway: int) -> Path:
        return Path(tempfile.gettempdir()) / f"{self.topology.run_id}-{gateway}.sock"

    async def open(
        self,
        deliver: Callable[[Sequence[Delivery]], None],
        failed: Callable[[BaseException], None],
        moved: Callable[[Sequence[str]], None],
    ) -> None:
        self._deliver = deliver
        self._server = await asyncio.start_unix_server(self._read, self._address(self.gateway))
        self._peers = [await self._connect(peer) for peer in range(self.topology.gateways)]

    async def _connect(self, peer: int) -> asyncio.StreamWriter:
        while True:
            try:
                _reader, writer = await asyncio.open_unix_connection(self._address(peer))
            except OSError:  # it has not started yet
                await asyncio.sleep(CONNECT_EVERY_S)
            else:
                writer.transport.set_write_buffer_limits(high=int(self.topology.options["unsent_bytes_max"]))
                return writer

    async def _read(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.read(1):
                name_bytes, payload_bytes = HEAD.unpack(head + await reader.readexactly(HEAD.size - 1))
                room = (await reader.readexactly(name_bytes)).decode()
                self._deliver([Delivery(room, await reader.readexactly(payload_bytes))])
        finally:
            writer.close()

    async def publish(self, room: str, payload: bytes) -> None:
        name = room.encode()
        frame = HEAD.pack(len(name), len(payload)) + name + payload
        for peer in self._peers:
            peer.write(frame)
        try:
            for peer in self._peers:
                await peer.drain()
        except OSError as problem:
            raise Rejected(f"a gateway did not take the message: {problem}") from problem

    async def join(self, room: str) -> None:
        """Nothing to do: every message of every room comes to every gateway."""

    async def leave(self, room: str) -> None:
        """Nothing to do, as in join."""

    def owner(self, room: str) -> int | None:
        return None

    async def close(self) -> None:
        for peer in self._peers:
            peer.close()
            await peer.wait_closed()
        self._server.close()
        self._address(self.gateway).unlink(missing_ok=True)
