"""All services of one run: brokers, Redis and gateways, started side by side and stopped in reverse."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from confluent_kafka import KafkaException

from architectures.interface import Architecture, Services, Topology
from harness.errors import ServiceFailed
from harness.services.fleet import Fleet
from harness.services.jars import ensure_jars
from harness.services.kafka import Kafka
from harness.services.redis import RedisServer, start_redis
from harness.services.workdir import make_workdir


class Stack:
    """The backends an architecture requires, and its gateways.

    `begin`, then `finish`, then `stop`. Between the first two a JVM is busy and the caller may do something else.
    """

    def __init__(self, architecture: type[Architecture], topology: Topology, logs: Path) -> None:
        self._architecture = architecture
        self._topology = topology
        self._logs = logs
        self._workdir: Path | None = None
        self.kafka: Kafka | None = None
        self.redis: RedisServer | None = None
        self.fleet: Fleet | None = None

    def begin(self, on_download: Callable[[int, int], None]) -> None:
        """Download what is missing, and begin to start the backends."""
        self._workdir = make_workdir()
        if self._architecture.requires.kafka:
            jars = ensure_jars(on_download)
            self.kafka = Kafka(jars, self._topology.brokers, self._workdir, self._logs)
            self.kafka.format()
        if self._architecture.requires.redis:
            self.redis = start_redis(self._workdir, self._logs / "redis.log")

    def finish(self) -> Fleet:
        """Wait for the backends, provision the architecture, and start its gateways."""
        if self.kafka is not None:
            self.kafka.start()
            self.kafka.wait_ready()
        services = Services(
            kafka_bootstrap=None if self.kafka is None else self.kafka.bootstrap,
            redis_url=None if self.redis is None else self.redis.url,
        )
        try:
            self._architecture.provision(services, self._topology)
        except KafkaException as problem:
            raise ServiceFailed(f"{self._architecture.name} could not make its topics: {problem}") from problem
        self.fleet = Fleet(self._architecture.name, services, self._topology, self._logs)
        self.fleet.start()
        self.fleet.wait_ready()
        return self.fleet

    def check(self) -> None:
        """Raise ServiceFailed if any process of the stack has ended."""
        if self.kafka is not None:
            self.kafka.check()
        if self.redis is not None:
            self.redis.child.check()
        if self.fleet is not None:
            self.fleet.check()

    def pids(self) -> dict[str, list[int]]:
        """Process ids by component; a component that is not used has none."""
        return {
            "gateway": [] if self.fleet is None else [child.pid for child in self.fleet.children],
            "kafka": [] if self.kafka is None else [child.pid for child in self.kafka.children],
            "redis": [] if self.redis is None else [self.redis.child.pid],
        }

    def stop(self) -> None:
        if self.fleet is not None:
            self.fleet.stop()
        if self.redis is not None:
            self.redis.stop()
        if self.kafka is not None:
            self.kafka.stop()
        if self._workdir is not None:
            shutil.rmtree(self._workdir, ignore_errors=True)  # what is left, the next run removes
