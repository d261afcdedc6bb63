"""A real Kafka, Redis and NATS for tests that talk to architectures and gateways directly."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from architectures.interface import Requirements
from harness.services.backends import Backends
from harness.services.nats.server import has_nats_server


def kafka_client_threads() -> list[str]:
    """The threads of the Kafka clients that are open in this process; none can be seen outside Linux."""
    names = [name.read_text().strip() for name in Path("/proc/self/task").glob("*/comm")]
    return sorted(name for name in names if name.startswith("rdk:"))


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
