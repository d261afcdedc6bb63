"""Which nodes of a Redis cluster serve which slots, and connections to these nodes."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import redis.asyncio
from redis.exceptions import RedisError

from architectures.clients.address import HostPort
from architectures.clients.redis import ANSWER_MAX_S, Link
from architectures.clients.redis_address import RedisAddress
from architectures.clients.redis_pool import redis_pools

SLOTS = 16384


class NotACluster(ConnectionError):
    """Some slots are not served, or no node answers."""


class Shard:
    """The slots that one node serves."""

    def __init__(self, ranges: list[range]) -> None:
        self._ranges = ranges

    def __contains__(self, slot: int) -> bool:
        return any(slot in each for each in self._ranges)

    @property
    def first(self) -> int:
        """The first slot, by which the shard is found again after another node has taken it over."""
        return min(each.start for each in self._ranges)


async def find_shards(cluster: RedisAddress) -> list[Shard]:
    """Return all shards of the cluster; raises NotACluster unless every slot is served."""
    ranges_of_node: dict[HostPort, list[range]] = {}
    for slots, node in await _served(cluster):
        ranges_of_node.setdefault(node, []).append(slots)
    if sum(len(each) for ranges in ranges_of_node.values() for each in ranges) != SLOTS:
        raise NotACluster(f"not all of the {SLOTS} slots are served by a node of the Redis cluster")
    return [Shard(ranges) for _node, ranges in sorted(ranges_of_node.items())]


async def _served(cluster: RedisAddress) -> list[tuple[range, HostPort]]:
    """Return the slots and their masters, as the first node that answers reports them."""
    problem: Exception = NotACluster("no node of the Redis cluster is known")
    for pool in redis_pools(cluster):
        try:
            async with asyncio.timeout(ANSWER_MAX_S), redis.asyncio.Redis.from_pool(pool) as client:
                slots: list[list[Any]] = await client.execute_command("CLUSTER SLOTS")  # type: ignore[no-untyped-call]  # redis-py's
                own_host = pool.connection_kwargs["host"]  # a node may not know its own address
                return [
                    (range(low, high + 1), HostPort(_text(host) or own_host, port))
                    for low, high, (host, port, *_), *_ in slots
                ]
        except (RedisError, OSError) as failed:
            problem = failed
    raise NotACluster(f"no node of the Redis cluster reports its slots: {problem}") from problem


def _text(host: bytes | str) -> str:
    return host.decode() if isinstance(host, bytes) else host


class ShardLink(Link):
    """A Link to the node that serves a shard at the time of connecting; `to` makes one."""

    def __init__(self, cluster: RedisAddress, shard: Shard, node: HostPort) -> None:
        self._cluster, self._shard = cluster, shard
        super().__init__(replace(cluster, nodes=(node,)))

    @classmethod
    async def to(cls, cluster: RedisAddress, shard: Shard) -> ShardLink:
        return cls(cluster, shard, await _node_of(cluster, shard))

    async def renew(self) -> None:
        await self.connection.disconnect(nowait=True)
        self.address = replace(self._cluster, nodes=(await _node_of(self._cluster, self._shard),))
        await super().renew()


async def _node_of(cluster: RedisAddress, shard: Shard) -> HostPort:
    for slots, node in await _served(cluster):
        if shard.first in slots:
            return node
    raise NotACluster(f"slot {shard.first} is served by no node of the Redis cluster")
