"""Which backends are needed, which are started, and where architectures find them."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from architectures.interface import Requirements, Services
from harness.services.backend import BackendType
from harness.services.backends import BACKENDS, Backends, all_requirements, merged, required_types

EVERYWHERE = Services(
    kafka_bootstrap="kafka:9092",
    redis_url="redis://redis",
    nats_url="nats://nats",
    kafka_settings={"security.protocol": "SSL"},
)


def requires(kind: BackendType) -> Requirements:
    return Requirements(**{kind.name: True})


def test_each_backend_has_its_requirement_and_each_address_its_backend() -> None:
    requirements = {field.name for field in dataclasses.fields(Requirements)}
    assert {kind.name for kind in BACKENDS} == requirements - {"redis_any_node", "gateways_max"}
    assert merged(kind.part_of(EVERYWHERE) for kind in BACKENDS) == EVERYWHERE


def test_what_somebody_else_runs_is_not_started_and_told_to_those_who_use_it(tmp_path: Path) -> None:
    every = all_requirements([requires(kind) for kind in BACKENDS])
    backends = Backends(every, 1, tmp_path, external=EVERYWHERE)
    try:
        backends.begin(lambda _what, _done, _total: None)
        backends.finish()
        assert (backends.of(every), backends.services_for(every)) == ([], EVERYWHERE)
        assert backends.services_for(Requirements(nats=True)) == Services(nats_url=EVERYWHERE.nats_url)
        assert backends.whose(every) == "external Kafka and Redis and NATS"
        assert backends.whose(Requirements(redis_cluster=True)) == "external Redis"
        assert backends.whose(Requirements()) == "own"
    finally:
        backends.stop()


def test_only_what_is_required_is_a_required_type() -> None:
    assert [kind.name for kind in required_types(Requirements(redis_cluster=True, nats=True))] == [
        "redis_cluster",
        "nats",
    ]
