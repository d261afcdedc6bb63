"""Redis as a backend of a run: one server, or a cluster."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from architectures.interface import Services
from harness.services.backend import BackendType, Site, nothing_to_record, nothing_to_remove
from harness.services.borrowed import Borrowed, describe, read_description
from harness.services.ports import free_ports
from harness.services.processes import Child
from harness.services.proxy import Proxy, start_proxy
from harness.services.redis.cluster import RedisCluster
from harness.services.redis.metrics import RedisCounters, RedisPerMessage, read_counters
from harness.services.redis.server import RedisServer, start_redis, url_of
from peers.interface import OnProgress


class RedisBackend:
    """A Backend of one server."""

    def __init__(self, server: RedisServer, proxy_log: Path | None = None) -> None:
        """With a `proxy_log`, the server is reached through a proxy that logs there."""
        self._server = server
        self.proxy: Proxy | None = None
        self._proxy_log = proxy_log

    @classmethod
    def begin(cls, site: Site, _on_progress: OnProgress) -> RedisBackend:
        return cls(start_redis(site.workdir, site.logs / "redis.log"), site.proxy_log if site.proxied else None)

    @classmethod
    def borrow(cls, described: bytes, lender: int, _brokers: int) -> RedisBackend:
        return cls(read_description(described, _Lent).borrowed("redis", lender))

    @property
    def type(self) -> BackendType:
        return REDIS

    @property
    def children(self) -> Sequence[Child]:
        return [self._server.child]

    @property
    def services(self) -> Services:
        (port,) = (self._server.port,) if self.proxy is None else self.proxy.ports
        return Services(redis_url=url_of(port))

    def finish(self) -> None:
        self._server.finish()
        if self._proxy_log is not None and self.proxy is None:
            (port,) = free_ports(1)
            self.proxy = start_proxy("the proxy before Redis", [(port, self._server.port)], self._proxy_log)

    def start_again(self, _index: int) -> None:
        self._server.start_again()

    def check(self) -> None:
        self._server.check()
        if self.proxy is not None:
            self.proxy.child.check()

    def counters(self, _run_id: str) -> RedisCounters:
        """Of all clients: Redis does not tell them apart."""
        return read_counters([self._server.url])

    def described(self) -> bytes:
        return describe(_Lent.of(self._server))

    def stop(self) -> None:
        if self.proxy is not None:
            self.proxy.child.kill()
        self._server.stop()


class RedisClusterBackend:
    """A Backend of a cluster's nodes. Faults break the first of them."""

    def __init__(self, cluster: RedisCluster, proxy_log: Path | None = None) -> None:
        """With a `proxy_log`, the nodes are reached through a proxy that logs there."""
        self._cluster = cluster
        self.proxy: Proxy | None = None
        self._proxy_log = proxy_log

    @classmethod
    def begin(cls, site: Site, _on_progress: OnProgress) -> RedisClusterBackend:
        cluster = RedisCluster.begin(site.workdir, site.logs, proxied=site.proxied)
        return cls(cluster, site.proxy_log if site.proxied else None)

    @classmethod
    def borrow(cls, described: bytes, lender: int, _brokers: int) -> RedisClusterBackend:
        nodes = read_description(described, _LentCluster).nodes
        return cls(RedisCluster([node.borrowed(f"redis node {index}", lender) for index, node in enumerate(nodes)]))

    @property
    def type(self) -> BackendType:
        return REDIS_CLUSTER

    @property
    def children(self) -> Sequence[Child]:
        return [node.child for node in self._cluster.nodes]

    @property
    def services(self) -> Services:
        return Services(redis_url=self._cluster.url)

    def finish(self) -> None:
        self._cluster.finish()
        if self._proxy_log is not None and self.proxy is None:
            nodes = zip(self._cluster.proxy_ports, self._cluster.nodes, strict=True)
            routes = [(port, node.port) for port, node in nodes]
            self.proxy = start_proxy("the proxy before the Redis cluster", routes, self._proxy_log)

    def start_again(self, index: int) -> None:
        """The node finds the others by what it knew of them."""
        self._cluster.nodes[index].start_again()

    def check(self) -> None:
        self._cluster.check()
        if self.proxy is not None:
            self.proxy.child.check()

    def counters(self, _run_id: str) -> RedisCounters:
        """Of all nodes together, and of all clients: Redis does not tell them apart."""
        return read_counters(node.url for node in self._cluster.nodes)

    def described(self) -> bytes:
        return describe(_LentCluster([_Lent.of(node) for node in self._cluster.nodes]))

    def stop(self) -> None:
        if self.proxy is not None:
            self.proxy.child.kill()
        self._cluster.stop()


class _Lent(msgspec.Struct, frozen=True):
    port: int
    pid: int
    log: Path
    workdir: Path

    @classmethod
    def of(cls, server: RedisServer) -> _Lent:
        return cls(server.port, server.child.pid, server.child.log, server.workdir)

    def borrowed(self, name: str, lender: int) -> RedisServer:
        return RedisServer(Borrowed(name, self.pid, self.log, lender), self.port, self.workdir)


class _LentCluster(msgspec.Struct, frozen=True):
    nodes: list[_Lent]


def _part_of(services: Services) -> Services:
    return Services(redis_url=services.redis_url)


REDIS = BackendType(
    name="redis",
    component="redis",
    product="Redis",
    target="redis",
    not_counted=RedisPerMessage(),
    part_of=_part_of,
    settings_at=nothing_to_record,
    remove_traces=nothing_to_remove,
    begin=RedisBackend.begin,
    borrow=RedisBackend.borrow,
)
REDIS_CLUSTER = BackendType(
    name="redis_cluster",
    component="redis",
    product="Redis",
    target="redis",
    not_counted=RedisPerMessage(),
    part_of=_part_of,
    settings_at=nothing_to_record,
    remove_traces=nothing_to_remove,
    begin=RedisClusterBackend.begin,
    borrow=RedisClusterBackend.borrow,
)
