"""Which architectures are tested, and the real backends they need."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from architectures.interface import Architecture, Services
from harness.core.registry import architecture_names, load_architecture
from harness.services.backends import Backends
from tests.backends import running_backends


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "architecture" in metafunc.fixturenames:
        chosen = metafunc.config.getoption("--arch") or architecture_names()
        metafunc.parametrize("architecture", [load_architecture(name) for name in chosen], ids=chosen)


@pytest.fixture(scope="session")
def backends(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Backends]:
    with running_backends(tmp_path_factory.mktemp("backends")) as backends:
        yield backends


@pytest.fixture
def services(architecture: type[Architecture], backends: Backends) -> Services:
    if architecture.requires.nats and backends.nats is None:
        pytest.skip("there is no nats-server here")
    return backends.services_for(architecture.requires)
