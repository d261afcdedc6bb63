"""A Redis of its own for each test here, since they kill it, fill it and change what its users may do."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.services.redis.server import RedisServer, start_redis


@pytest.fixture
def redis_server(tmp_path: Path) -> Iterator[RedisServer]:
    server = start_redis(tmp_path, tmp_path / "redis.log")
    yield server
    server.stop()
