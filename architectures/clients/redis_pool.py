"""Connections to where Redis is, none of which retries anything by itself."""

from __future__ import annotations

import random
from typing import Any

import redis.asyncio
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import MasterNotFoundError, Sentinel
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from architectures.clients.address import HostPort
from architectures.clients.redis_address import Kind, RedisAddress

NEVER_AGAIN = Retry(NoBackoff(), 0)
SENTINEL_ANSWERS_S = 2.0


def redis_pool(address: RedisAddress) -> redis.asyncio.ConnectionPool:
    """Of one node; another one each time, so that who has lost one may find the next."""
    return _pool_of(address, random.choice(address.nodes))


def redis_pools(address: RedisAddress) -> list[redis.asyncio.ConnectionPool]:
    """One for each node that knows only of its own clients."""
    if address.kind is Kind.CLUSTER:
        return [_pool_of(address, node) for node in address.nodes]
    return [redis_pool(address)]


def _pool_of(address: RedisAddress, node: HostPort) -> redis.asyncio.ConnectionPool:
    usual: dict[str, Any] = {"retry": NEVER_AGAIN, "protocol": 2, "socket_timeout": None, "db": address.database}
    usual |= {"username": address.login.user, "password": address.login.password, **address.options}
    if address.master is not None:
        tls = {name: value for name, value in address.options.items() if name.startswith("ssl_")}
        of_sentinels = {"socket_timeout": SENTINEL_ANSWERS_S, "ssl": address.tls, **tls}
        of_sentinels["password"] = address.sentinel_password
        sentinels = _Sentinels(list(address.nodes), sentinel_kwargs=of_sentinels)  # type: ignore[no-untyped-call]  # redis-py's
        pool = sentinels.master_for(address.master, ssl=address.tls, **usual).connection_pool
        assert isinstance(pool, redis.asyncio.ConnectionPool)
        return pool
    connection = redis.asyncio.SSLConnection if address.tls else redis.asyncio.Connection
    return redis.asyncio.ConnectionPool(connection, host=node.host, port=node.port, **usual)


class _Sentinels(Sentinel):
    """As redis-py's, but what it raises says what each sentinel has said, where that names Python's clients."""

    async def discover_master(self, service_name: str) -> tuple[str, int]:
        told, last = [], None
        for sentinel in self.sentinels:
            asked = sentinel.connection_pool.connection_kwargs
            at = HostPort(asked["host"], asked["port"])
            try:
                masters = await sentinel.sentinel_masters()
            except (RedisError, OSError) as problem:
                last = problem
                told.append(f"{at}: {problem or type(problem).__name__}")
                continue
            assert isinstance(masters, dict)  # by name, as its docs have it
            state = masters.get(service_name)
            if state is not None and self.check_master_state(state, service_name):
                return state["ip"], state["port"]
            known = ", ".join(sorted(masters)) or "none"
            told.append(f"{at} says that it is down" if state is not None else f"{at} knows of {known}")
        raise MasterNotFoundError(f"no sentinel names a master {service_name} that is up ({'; '.join(told)})") from last
