"""Leases in Redis: a key for each place, which is set only if it does not exist, and expires."""

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

# The scripts check the holder's token and change the key atomically: the lease may have expired meanwhile, and belong
# to another gateway.
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
    """Connect, and yield the leases, in keys whose names begin with `name`."""
    address = RedisAddress.parse(url)
    is_cluster = address.kind is Kind.CLUSTER
    client: Any = _cluster(address) if is_cluster else redis.asyncio.Redis.from_pool(redis_pool(address))
    try:
        yield RedisLeases(client, name, places, lease_s)
    finally:
        await client.aclose()


def _cluster(address: RedisAddress) -> RedisCluster:
    nodes = [ClusterNode(node.host, node.port) for node in address.nodes]
    user, password = address.login.user, address.login.password
    return RedisCluster(startup_nodes=nodes, ssl=address.tls, username=user, password=password, **address.options)


class RedisLeases:
    """A LeaseStore in keys of Redis."""

    def __init__(self, client: Any, name: str, places: int, lease_s: float) -> None:
        self._lease_ms = round(lease_s * 1000)
        self._client = client  # redis-py's clients of a server and of a cluster have no common type
        # The text in braces decides the slot, so one command may name all keys in a cluster too.
        self._keys = [f"{{{name}}}:place:{place}" for place in range(places)]

    async def acquire(self, place: int, holder: Holder) -> bool:
        command = self._client.set(self._keys[place], encoded(holder), nx=True, px=self._lease_ms)
        return bool(await _answer(command))

    async def renew(self, place: int, holder: Holder) -> bool:
        arguments = (holder.token, encoded(holder), self._lease_ms)
        return bool(await _answer(self._client.eval(RENEW, 1, self._keys[place], *arguments)))

    async def release(self, place: int, holder: Holder) -> None:
        await _answer(self._client.eval(RELEASE, 1, self._keys[place], holder.token))

    async def holders(self) -> Mapping[int, Holder]:
        decoded_values = [decoded(value) for value in await _answer(self._client.mget(self._keys))]
        return {place: holder for place, holder in enumerate(decoded_values) if holder is not None}


async def _answer(command: Awaitable[Any]) -> Any:
    try:
        async with asyncio.timeout(ANSWER_MAX_S):
            return await command
    except (RedisError, OSError) as problem:  # TimeoutError is an OSError
        if (for_good := gone_for_good(problem, "keep the fleet's leases")) is not None:
            raise for_good from problem
        raise StoreAway(f"Redis does not answer ({problem or type(problem).__name__})") from problem
