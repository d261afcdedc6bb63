"""redis-sharded: redis on a cluster, where a room's channel is on the one node that serves its slot.

    member -> gateway -> SPUBLISH room -> the node of the room's slot -> every gateway subscribed there -> its members

A cluster forwards an ordinary PUBLISH to every node, so more nodes cannot carry more messages. A sharded channel (Redis
7) stays on the node of its slot, so rooms are spread over the nodes. One huge room is on one node, so more nodes do not
help it. A gateway holds two connections to each node, one to publish and one to subscribe. An ack means the same as in
redis: the node has written the message to its subscribers' buffers. Nothing is stored.

If a node is gone for good and a replica takes over its slots, the gateways connect to the replica. They do not follow
slots that are moved between live nodes: messages to their rooms are refused until the gateway is restarted.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import ClassVar

from redis.crc import key_slot

from architectures.clients.redis import SHARDED, Publisher, Subscriber
from architectures.clients.redis_address import RedisAddress
from architectures.clients.redis_cluster import ShardLink, find_shards
from architectures.interface import (
    Architecture,
    Delivery,
    Promises,
    Requirements,
    Services,
    Topology,
)
from architectures.routes import Route, Scene, through_channel


class RedisSharded(Architecture):
    name: ClassVar[str] = "redis-sharded"
    summary: ClassVar[str] = "Redis cluster, sharded pub/sub: a room's channel on one of its nodes"
    requires: ClassVar[Requirements] = Requirements(redis_cluster=True)
    promises: ClassVar[Promises] = Promises(
        everyone=True,
        once=True,
        ordered=True,
        durable_ack=False,
        survives=("kill:gateway", "restart:gateway", "pause:redis", "slow:members"),
    )

    @classmethod
    def route(cls, scene: Scene) -> Route:
        return through_channel(scene, f"shard {scene.room}")

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
        cluster = RedisAddress.parse(self.services.redis_url)
        self._shards = await find_shards(cluster)
        own = self.topology.topic(f"gateway:{self.gateway}")
        links = [(await ShardLink.to(cluster, shard), await ShardLink.to(cluster, shard)) for shard in self._shards]
        self._publishers = [Publisher(to_publish, failed, verbs=SHARDED) for to_publish, _to_listen in links]
        self._subscribers = [
            Subscriber(to_listen, self._on_messages, failed, verbs=SHARDED) for _to_publish, to_listen in links
        ]
        await asyncio.gather(*(subscriber.open(own) for subscriber in self._subscribers))

    def _shard_of(self, channel: str) -> int:
        slot = key_slot(channel.encode())
        return next(number for number, shard in enumerate(self._shards) if slot in shard)

    async def publish(self, room: str, payload: bytes) -> None:
        channel = self._prefix + room
        await self._publishers[self._shard_of(channel)].publish(channel, payload)

    def _on_messages(self, messages: Sequence[tuple[str, bytes]]) -> None:
        start = len(self._prefix)
        self._deliver([Delivery(channel[start:], payload) for channel, payload in messages])

    async def join(self, room: str) -> None:
        channel = self._prefix + room
        await self._subscribers[self._shard_of(channel)].subscribe(channel)

    async def leave(self, room: str) -> None:
        channel = self._prefix + room
        await self._subscribers[self._shard_of(channel)].unsubscribe(channel)

    def owner(self, room: str) -> int | None:
        return None

    async def close(self) -> None:
        for publisher in self._publishers:
            await publisher.close()
        for subscriber in self._subscribers:
            await subscriber.close()
