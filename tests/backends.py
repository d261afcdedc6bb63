"""A real Kafka and a real Redis for tests that talk to architectures and gateways directly."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from architectures.interface import Architecture, Services
from harness.services.jars import ensure_jars
from harness.services.kafka import Kafka
from harness.services.redis import start_redis


@dataclass
class Backends:
    kafka: Kafka
    redis_url: str

    def services_for(self, architecture: type[Architecture]) -> Services:
        """Only what it requires, as in a run."""
        return Services(
            kafka_bootstrap=self.kafka.bootstrap if architecture.requires.kafka else None,
            redis_url=self.redis_url if architecture.requires.redis else None,
        )

    def restart_kafka(self) -> None:
        """Kill every broker and start it on what it left on disk. Call it from the main thread."""
        for child in self.kafka.children:
            child.kill()
        self.kafka.children.clear()
        self.kafka.start()
        self.kafka.wait_ready()


@contextmanager
def running_backends(folder: Path) -> Iterator[Backends]:
    redis = start_redis(folder, folder / "redis.log")
    kafka = Kafka(ensure_jars(lambda _done, _total: None), 1, folder, folder)
    try:
        kafka.format()
        kafka.start()
        kafka.wait_ready()
        yield Backends(kafka, redis.url)
    finally:
        kafka.stop()
        redis.stop()
