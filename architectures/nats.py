"""nats: one subject per room, to which a gateway subscribes while it has members of the room.

    member -> gateway -> PUB room -> the NATS server -> every gateway subscribed to the room -> its members

This is the same design as redis, on a server that does nothing else. Core NATS stores nothing and confirms nothing, so
messages that are published while a gateway is not connected are lost. To get an ack, a gateway publishes to itself
after each batch: when that message comes back, the server has received the batch. An ack means no more than that. The
server cuts off a reader that falls behind by 64 MB or does not read for ten seconds, and the reader then loses the
messages until it is back. The servers of a cluster learn of each other's subscriptions a moment later, so a member who
has just joined may miss messages of that moment.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar

from architectures.clients.nats import NatsConnection
from architectures.interface import (
    Architecture,
    Delivery,
    Promises,
    Requirements,
    Services,
    Topology,
)
from architectures.routes import Route, Scene, through_channel


class Nats(Architecture):
    name: ClassVar[str] = "nats"
    summary: ClassVar[str] = "NATS core: a subject per room, subscribed to where the room has members"
    requires: ClassVar[Requirements] = Requirements(nats=True)
    promises: ClassVar[Promises] = Promises(
        everyone=True,
        once=True,
        ordered=True,
        durable_ack=False,
        survives=("kill:gateway", "restart:gateway", "pause:nats", "slow:members"),
    )

    @classmethod
    def route(cls, scene: Scene) -> Route:
        return through_channel(scene, f"subject {scene.room}")

    @classmethod
    def check(cls, topology: Topology) -> None:
        """Accept any topology."""

    @classmethod
    def provision(cls, services: Services, topology: Topology) -> None:
        """Do nothing: a subject exists while there is a subscription to it."""

    async def open(
        self,
        deliver: Callable[[Sequence[Delivery]], None],
        failed: Callable[[BaseException], None],
        moved: Callable[[Sequence[str]], None],
    ) -> None:
        assert self.services.nats_url is not None
        self._deliver = deliver
        self._prefix = self.topology.topic("room.")
        name = self.topology.topic(f"gateway-{self.gateway}")
        self._nats = NatsConnection(self.services.nats_url, name, self._on_messages, failed)
        await self._nats.open()

    def _subject_of(self, room: str) -> str:
        # In hex, because a room's name may have spaces, dots and asterisks, which are special in a subject.
        return self._prefix + room.encode().hex()

    async def publish(self, room: str, payload: bytes) -> None:
        await self._nats.publish(self._subject_of(room), payload)

    def _on_messages(self, messages: Sequence[tuple[str, bytes]]) -> None:
        start = len(self._prefix)
        self._deliver([Delivery(bytes.fromhex(subject[start:]).decode(), payload) for subject, payload in messages])

    async def join(self, room: str) -> None:
        await self._nats.subscribe(self._subject_of(room))

    async def leave(self, room: str) -> None:
        await self._nats.unsubscribe(self._subject_of(room))

    def owner(self, room: str) -> int | None:
        return None

    async def close(self) -> None:
        await self._nats.close()
