"""Backends for the tests here that talk to architectures and gateways directly."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from harness.services.backends import Backends
from tests.backends import running_backends


@pytest.fixture(scope="module")
def backends(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Backends]:
    with running_backends(tmp_path_factory.mktemp("backends")) as backends:
        yield backends
