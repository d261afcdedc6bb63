"""Which architectures are tested, and the real backends they need."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from architectures.interface import Architecture, Services
from harness.registry import architecture_names, load_architecture
from harness.services.jars import ensure_jars
from harness.services.kafka import Kafka
from harness.services.redis import start_redis


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "architecture" in metafunc.fixturenames:
        chosen = metafunc.config.getoption("--arch") or architecture_names()
        metafunc.parametrize("architecture", [load_architecture(name) for name in chosen], ids=chosen)


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


@pytest.fixture(scope="session")
def backends(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Backends]:
    folder = tmp_path_factory.mktemp("backends")
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


@pytest.fixture
def services(architecture: type[Architecture], backends: Backends) -> Services:
    return backends.services_for(architecture)
