"""Where Redis is: one server, the master that sentinels name, or the nodes of a cluster.

    redis://host:6379/0                                   rediss:// with TLS
    redis+sentinel://host1:26379,host2:26379/mymaster     whichever server these sentinels call the master of that name
    redis+cluster://host1:6379,host2:6379                 any of these nodes: a cluster passes what is published to all

A user name may stand before the hosts, and what redis-py takes in a URL after `?`, as in ?ssl_ca_certs=/etc/ca.pem.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import redis.asyncio
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import Sentinel
from redis.backoff import NoBackoff

NEVER_AGAIN = Retry(NoBackoff(), 0)
REDIS_PORT, SENTINEL_PORT = 6379, 26379
SENTINEL_ANSWERS_S = 2.0


class BadAddress(ValueError):
    """Not an address of Redis; the message is for the user, and names no password."""


@dataclass(frozen=True, slots=True)
class RedisAddress:
    """`parse` it; then `pool`, of one node, or `pools`, of each."""

    nodes: tuple[tuple[str, int], ...]
    options: dict[str, Any]  # of every connection
    tls: bool
    service: str | None = None  # what the sentinels, which are the nodes then, call the master
    url: str | None = None  # where redis-py can read it all itself

    @classmethod
    def parse(cls, url: str) -> RedisAddress:
        """Raises BadAddress."""
        parts = urlsplit(url)
        scheme, _, kind = parts.scheme.partition("+")
        if scheme not in {"redis", "rediss"} or kind not in {"", "sentinel", "cluster"}:
            raise BadAddress("it must begin with redis://, rediss://, redis+sentinel:// or redis+cluster://")
        if not kind:
            return cls((), {}, scheme == "rediss", url=url)
        user, _, hosts = parts.netloc.rpartition("@")
        try:
            nodes = tuple(_node(host, SENTINEL_PORT if kind == "sentinel" else REDIS_PORT) for host in hosts.split(","))
        except ValueError as problem:
            raise BadAddress(f"{hosts!r} is no list of HOST:PORT") from problem
        service = parts.path.strip("/")
        if (kind == "sentinel") != bool(service):
            raise BadAddress("sentinels, and only they, need the master's name after the hosts: /mymaster")
        name, _, password = user.partition(":")
        known = {"username": unquote(name), "password": unquote(password)}
        options = {**dict(parse_qsl(parts.query)), **{key: value for key, value in known.items() if value}}
        return cls(nodes, options, scheme == "rediss", service or None)

    def pool(self) -> redis.asyncio.ConnectionPool:
        """Of one node; another one each time, so that who has lost one may find the next."""
        return self._pool_of(random.choice(self.nodes) if self.nodes else None)

    def pools(self) -> list[redis.asyncio.ConnectionPool]:
        """One for each node that knows only of its own clients."""
        if self.service is not None or not self.nodes:
            return [self.pool()]
        return [self._pool_of(node) for node in self.nodes]

    def _pool_of(self, node: tuple[str, int] | None) -> redis.asyncio.ConnectionPool:
        usual: dict[str, Any] = {"retry": NEVER_AGAIN, "protocol": 2, "socket_timeout": None, **self.options}
        if node is None:
            assert self.url is not None
            return redis.asyncio.ConnectionPool.from_url(self.url, **usual)
        if self.service is not None:
            of_sentinels = {name: value for name, value in self.options.items() if name.startswith("ssl_")}
            kwargs = {"socket_timeout": SENTINEL_ANSWERS_S, "ssl": self.tls, **of_sentinels}
            sentinel = Sentinel(list(self.nodes), sentinel_kwargs=kwargs)  # type: ignore[no-untyped-call]  # redis-py's
            pool = sentinel.master_for(self.service, ssl=self.tls, **usual).connection_pool
            assert isinstance(pool, redis.asyncio.ConnectionPool)
            return pool
        connection = redis.asyncio.SSLConnection if self.tls else redis.asyncio.Connection
        host, port = node
        return redis.asyncio.ConnectionPool(connection, host=host, port=port, **usual)


def _node(host_and_port: str, usual_port: int) -> tuple[str, int]:
    parts = urlsplit(f"//{host_and_port}")
    if not parts.hostname:
        raise ValueError(host_and_port)
    return parts.hostname, parts.port or usual_port
