"""Kafka and Redis for one run or for many: started once, kept warm, stopped at the end."""

from __future__ import annotations

from pathlib import Path

from architectures.interface import Requirements, Services
from harness.core import library_logs
from harness.services.external import remove_traces
from harness.services.kafka.cluster import Kafka
from harness.services.kafka.install import ensure_installation
from harness.services.nats.server import NatsServer, nats_url_of, start_nats
from harness.services.ports import free_ports
from harness.services.proxy import Proxy, start_proxy
from harness.services.redis.cluster import RedisCluster
from harness.services.redis.server import RedisServer, start_redis, url_of
from harness.services.workdir import discard, make_workdir
from peers.interface import OnProgress

NOBODYS = Services()


class Backends:
    """What is required of the two. `begin`, then `finish`, then `stop`; once they run, the first two do nothing.

    Between `begin` and `finish` a JVM is busy and the caller may do something else.
    """

    def __init__(
        self,
        requires: Requirements,
        brokers: int,
        logs: Path,
        *,
        proxied: bool = False,
        external: Services = NOBODYS,
    ) -> None:
        """`proxied`: gateways reach them through proxies, so that the way between can be cut.

        `external`: what is somebody else's, and need not be started; `kafka` and `redis` stay None for these.
        """
        self._requires = Requirements(
            kafka=requires.kafka and external.kafka_bootstrap is None,
            redis=requires.redis and external.redis_url is None,
            redis_cluster=requires.redis_cluster and external.redis_url is None,
            nats=requires.nats and external.nats_url is None,
        )
        self._external = external
        self._brokers = brokers
        self._logs = logs
        library_logs.write_to(logs)
        self._proxied = proxied
        self.workdir: Path | None = None
        self._finished = False
        self._redis_proxy_port = self._nats_proxy_port = 0
        self.kafka: Kafka | None = None
        self.redis: RedisServer | None = None
        self.redis_cluster: RedisCluster | None = None
        self.nats: NatsServer | None = None
        self.kafka_proxy: Proxy | None = None
        self.redis_proxy: Proxy | None = None
        self.redis_cluster_proxy: Proxy | None = None
        self.nats_proxy: Proxy | None = None

    def begin(self, on_progress: OnProgress) -> None:
        """Download and prepare what is missing, and begin to start."""
        if self.workdir is not None:
            return
        self.workdir = make_workdir()
        if self._requires.kafka:
            installation = ensure_installation(on_progress)
            self.kafka = Kafka.make(installation, self._brokers, self.workdir, self._logs, proxied=self._proxied)
            self.kafka.start()
        if self._requires.redis:
            self.redis = start_redis(self.workdir, self._logs / "redis.log")
        if self._requires.redis_cluster:
            self.redis_cluster = RedisCluster.begin(self.workdir, self._logs, proxied=self._proxied)
        if self._requires.nats:
            self.nats = start_nats(self._logs / "nats.log")

    def finish(self) -> None:
        """Wait until they answer. What an earlier run killed is started again."""
        if self.kafka is not None:
            for index, child in enumerate(self.kafka.children):
                if not child.is_running:
                    self.kafka.start_again(index)
            self.kafka.wait_ready()
        for service in self._servers():
            service.finish()
        if self._proxied and not self._finished:
            self._start_proxies()
        self._finished = True

    def _servers(self) -> list[RedisServer | RedisCluster | NatsServer]:
        """Those that run, beside Kafka."""
        return [each for each in (self.redis, self.redis_cluster, self.nats) if each is not None]

    def _proxies(self) -> list[Proxy]:
        every = (self.kafka_proxy, self.redis_proxy, self.redis_cluster_proxy, self.nats_proxy)
        return [each for each in every if each is not None]

    def _start_proxies(self) -> None:
        log = self._logs / "proxy.log"
        if self.kafka is not None:
            ways = [(broker.proxy_port, broker.proxied_port) for broker in self.kafka.brokers]
            self.kafka_proxy = start_proxy("the proxy before Kafka", ways, log)
        if self.redis is not None:
            (self._redis_proxy_port,) = free_ports(1)
            self.redis_proxy = start_proxy("the proxy before Redis", [(self._redis_proxy_port, self.redis.port)], log)
        if self.redis_cluster is not None:
            cluster = self.redis_cluster
            ways = [(port, node.port) for port, node in zip(cluster.proxy_ports, cluster.nodes, strict=True)]
            self.redis_cluster_proxy = start_proxy("the proxy before the Redis cluster", ways, log)

        if self.nats is not None:
            (self._nats_proxy_port,) = free_ports(1)
            self.nats_proxy = start_proxy("the proxy before NATS", [(self._nats_proxy_port, self.nats.port)], log)

    def services_for(self, requires: Requirements) -> Services:
        """Where they are, for an architecture that requires these and no others."""
        kafka_bootstrap, redis_url = self._external.kafka_bootstrap, self._external.redis_url
        if self.kafka is not None:
            kafka_bootstrap = self.kafka.proxied_bootstrap if self._proxied else self.kafka.bootstrap
        if self.redis is not None:
            redis_url = url_of(self._redis_proxy_port) if self._proxied else self.redis.url
        if self.redis_cluster is not None and requires.redis_cluster:
            redis_url = self.redis_cluster.url
        nats_url = self._external.nats_url
        if self.nats is not None:
            nats_url = nats_url_of(self._nats_proxy_port) if self._proxied else self.nats.url
        return Services(
            nats_url=nats_url if requires.nats else None,
            kafka_bootstrap=kafka_bootstrap if requires.kafka else None,
            redis_url=redis_url if requires.any_redis else None,
            kafka_settings=self._external.kafka_settings if requires.kafka else {},
        )

    def forget(self, run_id: str) -> None:
        """What that run made where others are, too, is removed; raises ServiceFailed if it stays."""
        remove_traces(self._external, f"{run_id}-")

    def check(self) -> None:
        """Raise ServiceFailed if any of their processes has ended by itself."""
        if self.kafka is not None:
            self.kafka.check()
        for service in self._servers():
            service.check()
        for proxy in self._proxies():
            proxy.child.check()

    def stop(self) -> None:
        for proxy in self._proxies():
            proxy.child.kill()
        for service in self._servers():
            service.stop()
        if self.kafka is not None:
            self.kafka.stop()
        if self.workdir is not None:
            discard(self.workdir)
