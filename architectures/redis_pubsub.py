"""redis: one pub/sub channel per room, to which a gateway subscribes while it has members of the room.

    member -> gateway -> PUBLISH room -> every gateway subscribed to the room -> its members

A gateway subscribes to a room's channel when its first local member joins, and unsubscribes when the last one has left,
so Redis copies a message only to gateways that need it. Nothing is stored: messages that are published while a gateway
is not connected are lost. An ack means only that Redis has written the message to its subscribers' buffers. A gateway
that is paused or cut off loses nothing while its messages fit into that buffer (32 MB by default).
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
    on_shards: ClassVar[str] = "redis-sharded"

    @classmethod
    def route(cls, scene: Scene) -> Route:
        return through_channel(scene, f"channel {scene.room}")

    @classmethod
    def check(cls, topology: Topology) -> None:
        """Accept any topology."""

    @classmethod
    def provision(cls, services: Services, topology: Topology) -> None:
        """Do nothing: a channel exists while there is a subscription to it."""

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
