"""redis: a pub/sub channel per room, subscribed to where the room has members.

    member -> gateway -> PUBLISH room -> every gateway subscribed to the room -> its members

A gateway subscribes to a room's channel when its first local member joins and unsubscribes when the last one has
left, so Redis copies a message only to gateways that want it. Nothing is stored: what is published while a gateway
is not connected is gone, and an ack means that Redis has written the message to its subscribers' buffers, no more.
A gateway that stands still or is cut off loses nothing as long as what waits for it fits there (32 MB, by default).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar

from architectures.clients.redis import Publisher, Subscriber
from architectures.interface import (
    Architecture,
    Delivery,
    Promises,
    Requirements,
    Role,
    Services,
    Topology,
)
from architectures.routes import Route, Scene, through_channel


class RedisPubSub(Architecture):
    name: ClassVar[str] = "redis"
    summary: ClassVar[str] = "Redis pub/sub: a channel per room, subscribed to where the room has members"
    requires: ClassVar[Requirements] = Requirements(redis=True, redis_any_node=True)
    promises: ClassVar[Promises] = Promises(
        everyone=True,
        once=True,
        ordered=True,
        durable_ack=False,
        survives=("kill:gateway", "restart:gateway", "pause:redis", "slow:members"),
    )
    role: ClassVar[Role] = Role.CANDIDATE
    colour: ClassVar[str] = "#D55E00"

    @classmethod
    def route(cls, scene: Scene) -> Route:
        return through_channel(scene, f"channel {scene.room}")

    @classmethod
    def check(cls, topology: Topology) -> None:
        """Any number of gateways will do."""

    @classmethod
    def provision(cls, services: Services, topology: Topology) -> None:
        """Nothing to make: a channel exists while somebody is subscribed to it."""

    async def open(
        self,
        deliver: Callable[[Sequence[Delivery]], None],
        failed: Callable[[BaseException], None],
        moved: Callable[[Sequence[str]], None],
    ) -> None:
        assert self.services.redis_url is not None
        self._deliver = deliver
        self._prefix = self.topology.topic("room:")
        self._publisher = Publisher(self.services.redis_url, failed)
        self._subscriber = Subscriber(self.services.redis_url, self._on_messages, failed)
        await self._subscriber.open(self.topology.topic(f"gateway:{self.gateway}"))

    async def publish(self, room: str, payload: bytes) -> None:
        await self._publisher.publish(self._prefix + room, payload)

    def _on_messages(self, messages: Sequence[tuple[str, bytes]]) -> None:
        start = len(self._prefix)
        self._deliver([Delivery(channel[start:], payload) for channel, payload in messages])

    async def join(self, room: str) -> None:
        await self._subscriber.subscribe(self._prefix + room)

    async def leave(self, room: str) -> None:
        await self._subscriber.unsubscribe(self._prefix + room)

    def owner(self, room: str) -> int | None:
        return None

    async def close(self) -> None:
        await self._publisher.close()
        await self._subscriber.close()
