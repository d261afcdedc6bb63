"""Redis as a backend of a run: one server, or a cluster."""

from __future__ import annotations

from dataclasses import replace

from architectures.interface import Services
from harness.services.backend import BackendType, Site, nothing_to_record, nothing_to_remove
from harness.services.redis.cluster import RedisCluster
from harness.services.redis.metrics import RedisPerMessage
from harness.services.redis.server import RedisServer, start_redis
from peers.interface import OnProgress


def _begin_server(site: Site, _on_progress: OnProgress) -> RedisServer:
    return start_redis(site.workdir, site.logs / "redis.log")


def _begin_cluster(site: Site, _on_progress: OnProgress) -> RedisCluster:
    return RedisCluster.begin(site.workdir, site.logs, proxied=site.proxied)


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
    begin=_begin_server,
    borrow=RedisServer.borrow,
)
REDIS_CLUSTER = replace(REDIS, name="redis_cluster", begin=_begin_cluster, borrow=RedisCluster.borrow)
