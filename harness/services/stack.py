"""What one run stands on: the backends its architecture requires, and its own gateways."""

from __future__ import annotations

from pathlib import Path

from confluent_kafka import KafkaException

from architectures.interface import Candidate, GoneForGood, Topology
from harness.core.errors import ServiceFailed
from harness.gateway.settings import Exposure, Limits
from harness.measure.resources import Meter
from harness.services.backends import Backends
from harness.services.fleet import LOCAL, USUAL, Fleet
from harness.services.gateway_program import OWN, program_of
from harness.services.kafka.cluster import Kafka
from harness.services.lease import LentBackends
from harness.services.nats.server import NatsServer
from harness.services.proxy import Proxy
from harness.services.redis.cluster import RedisCluster
from harness.services.redis.server import RedisServer
from peers.interface import OnProgress


class Stack:
    """`start`, then `stop`. The backends are the caller's: other runs may stand on them before and after."""

    def __init__(
        self,
        architecture: type[Candidate],
        topology: Topology,
        backends: Backends | LentBackends,
        logs: Path,
        *,
        exposure: Exposure = LOCAL,
        tick_s: float | None = None,
        limits: Limits = USUAL,
        port: int | None = None,
    ) -> None:
        """`tick_s` as in GatewaySettings, `port` as in Fleet."""
        self._port = port
        self._architecture = architecture
        self.topology = topology
        self.backends = backends
        self._logs = logs
        self._exposure = exposure
        self._tick_s = tick_s
        self._limits = limits
        self._program = OWN
        self.fleet: Fleet | None = None

    @property
    def kafka(self) -> Kafka | None:
        """None if this architecture uses none, even where one runs for others."""
        return self.backends.kafka if self._architecture.requires.kafka else None

    @property
    def redis(self) -> RedisServer | RedisCluster | None:
        """As `kafka`."""
        requires = self._architecture.requires
        if requires.redis_cluster:
            return self.backends.redis_cluster
        return self.backends.redis if requires.redis else None

    @property
    def nats(self) -> NatsServer | None:
        """As `kafka`."""
        return self.backends.nats if self._architecture.requires.nats else None

    @property
    def redis_proxy(self) -> Proxy | None:
        """As `kafka`, of the way there."""
        backends = self.backends
        return backends.redis_cluster_proxy if self._architecture.requires.redis_cluster else backends.redis_proxy

    def begin(self, on_progress: OnProgress) -> None:
        """As Backends.begin, and what the gateways are made of."""
        self.backends.begin(on_progress)
        self._program = program_of(self._architecture, on_progress)

    def start(self) -> Fleet:
        """Wait for the backends, provision the architecture, and start its gateways."""
        self.backends.finish()
        services = self.backends.services_for(self._architecture.requires)
        try:
            self._architecture.provision(services, self.topology)
        except GoneForGood as problem:
            raise ServiceFailed(str(problem)) from problem
        except KafkaException as problem:
            raise ServiceFailed(f"{self._architecture.name} could not make its topics: {problem}") from problem
        self.fleet = Fleet(
            self._architecture.name,
            services,
            self.topology,
            self._logs,
            exposure=self._exposure,
            tick_s=self._tick_s,
            limits=self._limits,
            program=self._program,
            port=self._port,
        )
        self.fleet.start()
        self.fleet.wait_ready()
        return self.fleet

    def check(self) -> None:
        """Raise ServiceFailed if any process of the stack has ended."""
        self.backends.check()
        if self.fleet is not None:
            self.fleet.check()

    def meter(self) -> Meter:
        """Of the processes that run now; a component that is not used has none."""
        return Meter(
            {
                "gateway": [] if self.fleet is None else [child.pid for child in self.fleet.children],
                "kafka": [] if self.kafka is None else [child.pid for child in self.kafka.children],
                "redis": [] if self.redis is None else [node.child.pid for node in self.redis.nodes],
                "nats": [] if self.nats is None else [self.nats.child.pid],
            }
        )

    def stop(self) -> None:
        if self.fleet is not None:
            self.fleet.stop()

    def forget(self) -> str | None:
        """After `stop`: remove what the run made at backends that go on; returns why something was left there."""
        try:
            self.backends.forget(self.topology.run_id)
        except ServiceFailed as problem:
            return str(problem)
        return None
