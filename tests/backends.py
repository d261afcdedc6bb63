"""A real Kafka, Redis and NATS for tests that talk to architectures and gateways directly."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from architectures.interface import Requirements
from harness.services.backends import Backends
from harness.services.nats.server import has_nats_server


def all_that_are_here() -> Requirements:
    return Requirements(kafka=True, redis=True, redis_cluster=True, nats=has_nats_server())


@contextmanager
def running_backends(logs: Path, requires: Requirements | None = None, *, proxied: bool = False) -> Iterator[Backends]:
    """Of those that are required; if nothing is said, of all."""
    backends = Backends(requires or all_that_are_here(), 1, logs, proxied=proxied)
    try:
        backends.begin(lambda _what, _done, _total: None)
        backends.finish()
        yield backends
    finally:
        backends.stop()
