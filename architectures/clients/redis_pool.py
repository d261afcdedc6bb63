"""Connection pools for a Redis address, whose connections never retry by themselves."""

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

NO_RETRIES = Retry(NoBackoff(), 0)
SENTINEL_ANSWERS_S = 2.0


def redis_pool(address: RedisAddress) -> redis.asyncio.ConnectionPool:
    """Return a pool for a random node, so that a client that has lost one node can reach another."""
    return _pool_of(address, random.choice(address.nodes))


def redis_pools(address: RedisAddress) -> list[redis.asyncio.ConnectionPool]:
    """Return a pool for each node of a cluster, since a node knows only its own clients; otherwise one pool."""
    if address.kind is Kind.CLUSTER:
        return [_pool_of(address, node) for node in address.nodes]
    return [redis_pool(address)]


def _pool_of(address: RedisAddress, node: HostPort) -> redis.asyncio.ConnectionPool:
    arguments: dict[str, Any] = {"retry": NO_RETRIES, "protocol": 2, "socket_timeout": None, "db": address.database}
    arguments |= {"username": address.login.user, "password": address.login.password, **address.options}
    if address.master is not None:
        tls = {name: value for name, value in address.options.items() if name.startswith("ssl_")}
        sentinel_arguments = {"socket_timeout": SENTINEL_ANSWERS_S, "ssl": address.tls, **tls}
        sentinel_arguments["password"] = address.sentinel_password
        sentinels = _Sentinels(list(address.nodes), sentinel_kwargs=sentinel_arguments)  # type: ignore[no-untyped-call]  # redis-py's
        pool = sentinels.master_for(address.master, ssl=address.tls, **arguments).connection_pool
        assert isinstance(pool, redis.asyncio.ConnectionPool)
        return pool
    connection = redis.asyncio.SSLConnection if address.tls else redis.asyncio.Connection
    return redis.asyncio.ConnectionPool(connection, host=node.host, port=node.port, **arguments)


class _Sentinels(Sentinel):
    """redis-py's Sentinel with a better error: it says what each sentinel answered, where redis-py's lists clients."""

    async def discover_master(self, service_name: str) -> tuple[str, int]:
        answers, last = [], None
        for sentinel in self.sentinels:
            connection_arguments = sentinel.connection_pool.connection_kwargs
            address = HostPort(connection_arguments["host"], connection_arguments["port"])
            try:
                masters = await sentinel.sentinel_masters()
            except (RedisError, OSError) as problem:
                last = problem
                answers.append(f"{address}: {problem or type(problem).__name__}")
                continue
            assert isinstance(masters, dict)  # by name, according to its documentation
            state = masters.get(service_name)
            if state is not None and self.check_master_state(state, service_name):
                return state["ip"], state["port"]
            known = ", ".join(sorted(masters)) or "none"
            answers.append(f"{address} says that it is down" if state is not None else f"{address} knows of {known}")
        reasons = "; ".join(answers)
        raise MasterNotFoundError(f"no sentinel names a master {service_name} that is up ({reasons})") from last
