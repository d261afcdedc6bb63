"""Gateways of one architecture in this process, without sockets. A member is a list of the payloads it has heard."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

from architectures.interface import Architecture, Delivery, Moving, Services, Topology

ARRIVAL_TIMEOUT_S = 60.0  # an upper bound for deliveries that must come, not a measurement
QUIET_S = 0.3  # how long to wait for a duplicate
MOVING_TIMEOUT_S = 30.0


class Member:
    """A member of a room, from its join until it leaves or the room moves to another gateway."""

    def __init__(self, room: str, gateway: int) -> None:
        self.room = room
        self.gateway = gateway
        self.heard: list[bytes] = []
        self.held: list[bytes] | None = None  # deliveries that wait until the history has been read
        self.is_in = True


class Gateway:
    """The part of harness/gateway that an architecture needs: it calls the architecture and takes its deliveries."""

    def __init__(self, architecture: Architecture) -> None:
        self.architecture = architecture
        self.members: dict[str, list[Member]] = {}
        self.problems: list[BaseException] = []

    async def open(self) -> None:
        await self.architecture.open(self._deliver, self.problems.append, self._moved)

    def _deliver(self, batch: Sequence[Delivery]) -> None:
        for room, payload in batch:
            for member in self.members.get(room, ()):
                (member.heard if member.held is None else member.held).append(payload)

    def _moved(self, rooms: Sequence[str]) -> None:
        for room in rooms:
            for member in self.members.pop(room, ()):
                member.is_in = False


class Gateways:
    """All gateways of a run. `join`, `say` and `leave` act as members do; `until` waits for deliveries."""

    def __init__(self, architecture: type[Architecture], services: Services, topology: Topology) -> None:
        self._architecture, self._services, self._topology = architecture, services, topology
        self.every = [self._make(index) for index in range(topology.gateways)]
        self._closed: set[int] = set()

    def _make(self, index: int) -> Gateway:
        return Gateway(self._architecture(self._services, self._topology, index))

    async def open(self) -> None:
        await asyncio.gather(*(gateway.open() for gateway in self.every))

    async def close(self) -> None:
        for index in set(range(len(self.every))) - self._closed:
            await self.close_gateway(index)

    async def close_gateway(self, index: int) -> None:
        self._closed.add(index)
        await self.every[index].architecture.close()
        self._raise_problems()

    def _raise_problems(self) -> None:
        for gateway in self.every:
            if gateway.problems:
                raise gateway.problems[0]

    async def reopen_gateway(self, index: int) -> None:
        """Open a new gateway in the place of one that was closed."""
        self._closed.remove(index)
        self.every[index] = self._make(index)
        await self.every[index].open()

    async def join(self, room: str, at: int = 0, after_s: float | None = None) -> Member:
        """Join through gateway number `at`, or the one it redirects to, and return the member.

        With `after_s`, seconds since 1970, the member first hears the room's history from then on.
        """
        at %= len(self.every)
        async with asyncio.timeout(MOVING_TIMEOUT_S):
            while True:
                try:
                    owner = self.every[at].architecture.owner(room)
                except Moving:
                    await asyncio.sleep(0.01)
                    continue
                if owner in (None, at):
                    return await self._enter(room, at, after_s)
                assert owner is not None
                at = owner

    async def _enter(self, room: str, at: int, after_s: float | None) -> Member:
        gateway, member = self.every[at], Member(room, at)
        member.held = None if after_s is None else []
        members = gateway.members.setdefault(room, [])
        members.append(member)
        if len(members) == 1:
            await gateway.architecture.join(room)
        if after_s is not None:
            member.held = []  # the history includes what was delivered up to now
            said = await gateway.architecture.history(room, after_s)
            member.heard, member.held = [*said, *member.held], None
        return member

    async def leave(self, member: Member) -> None:
        gateway = self.every[member.gateway]
        member.is_in = False
        gateway.members[member.room].remove(member)
        if not gateway.members[member.room]:
            del gateway.members[member.room]
            await gateway.architecture.leave(member.room)

    async def say(self, sender: Member, payload: bytes) -> None:
        """Return when the message is acked."""
        await self.every[sender.gateway].architecture.publish(sender.room, payload)

    async def until(self, arrived: Callable[[], bool]) -> None:
        """Wait until `arrived()` is true, and then QUIET_S more for duplicates; raises TimeoutError."""
        async with asyncio.timeout(ARRIVAL_TIMEOUT_S):
            while not arrived():
                self._raise_problems()
                await asyncio.sleep(0.01)
        await asyncio.sleep(QUIET_S)


def topology_of(architecture: type[Architecture], gateways: int = 3) -> Topology:
    """Return the topology of a run without options."""
    most = architecture.requires.gateways_max
    return Topology(
        run_id=f"conform-{secrets.token_hex(4)}",
        gateways=gateways if most is None else min(gateways, most),
        options=dict(architecture.options),
    )


@asynccontextmanager
async def opened(architecture: type[Architecture], services: Services, gateways: int = 3) -> AsyncIterator[Gateways]:
    """Check and provision the architecture, open its gateways, and close them at the end."""
    topology = topology_of(architecture, gateways)
    architecture.check(topology)
    architecture.provision(services, topology)
    running = Gateways(architecture, services, topology)
    await running.open()
    try:
        yield running
    finally:
        await running.close()
