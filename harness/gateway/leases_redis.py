"""Leases in Redis: a key for each place, set only if there is none, which ends by itself."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Mapping
from typing import Any

import redis.asyncio
from redis.asyncio.cluster import ClusterNode, RedisCluster
from redis.exceptions import RedisError

from architectures.clients.redis import ANSWER_MAX_S, gone_for_good
from architectures.clients.redis_address import Kind, RedisAddress
from architectures.clients.redis_pool import redis_pool
from harness.gateway.leases import LEASE_S, Holder, StoreAway, decoded, encoded

# In one step, so that nothing is done to a lease that has ended meanwhile and is another's: the token tells.
RENEW = """
local there = redis.call('GET', KEYS[1])
if there and string.find(there, ARGV[1], 1, true) then
  redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
  return 1
end
return 0
"""
RELEASE = """
local there = redis.call('GET', KEYS[1])
if there and string.find(there, ARGV[1], 1, true) then
  return redis.call('DEL', KEYS[1])
end
return 0
"""


@contextlib.asynccontextmanager
async def redis_leases(url: str, name: str, places: int, lease_s: float = LEASE_S) -> AsyncIterator[RedisLeases]:
    address = RedisAddress.parse(url)
    of_cluster = address.kind is Kind.CLUSTER
    client: Any = _cluster(address) if of_cluster else redis.asyncio.Redis.from_pool(redis_pool(address))
    try:
        yield RedisLeases(client, name, places, lease_s)
    finally:
        await client.aclose()


def _cluster(address: RedisAddress) -> RedisCluster:
    nodes = [ClusterNode(node.host, node.port) for node in address.nodes]
    user, password = address.login.user, address.login.password
    return RedisCluster(startup_nodes=nodes, ssl=address.tls, username=user, password=password, **address.options)


class RedisLeases:
    def __init__(self, client: Any, name: str, places: int, lease_s: float) -> None:
        self._lease_ms = round(lease_s * 1000)
        self._client = client  # of a server or of a cluster: they have no common type
        # What is in braces decides a key's slot, so that one command may name them all in a cluster too.
        self._keys = [f"{{{name}}}:place:{place}" for place in range(places)]

    async def acquire(self, place: int, holder: Holder) -> bool:
        command = self._client.set(self._keys[place], encoded(holder), nx=True, px=self._lease_ms)
        return bool(await _answer(command))

    async def renew(self, place: int, holder: Holder) -> bool:
        given = (holder.token, encoded(holder), self._lease_ms)
        return bool(await _answer(self._client.eval(RENEW, 1, self._keys[place], *given)))

    async def release(self, place: int, holder: Holder) -> None:
        await _answer(self._client.eval(RELEASE, 1, self._keys[place], holder.token))

    async def holders(self) -> Mapping[int, Holder]:
        told = [decoded(value) for value in await _answer(self._client.mget(self._keys))]
        return {place: holder for place, holder in enumerate(told) if holder is not None}


async def _answer(command: Awaitable[Any]) -> Any:
    try:
        async with asyncio.timeout(ANSWER_MAX_S):
            return await command
    except (RedisError, OSError) as problem:  # OSError: also a time-out
        if (for_good := gone_for_good(problem, "keep the fleet's leases")) is not None:
            raise for_good from problem
        raise StoreAway(f"Redis does not answer ({problem or type(problem).__name__})") from problem
