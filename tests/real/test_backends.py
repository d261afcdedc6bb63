"""Every backend keeps the contract of harness/services/backend.py, on real processes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from architectures.interface import Requirements
from harness.core.errors import ServiceFailed
from harness.services.backend import Backend, BackendType
from harness.services.backends import BACKENDS, NOBODYS
from harness.services.nats.backend import NATS
from harness.services.nats.server import has_nats_server
from tests.backends import running_backends


def requires(kind: BackendType) -> Requirements:
    return Requirements(**{kind.name: True})


@pytest.mark.parametrize("kind", BACKENDS, ids=[kind.name for kind in BACKENDS])
def test_a_backend_is_found_counted_lent_and_started_again(kind: BackendType, tmp_path: Path) -> None:
    if kind is NATS and not has_nats_server():
        pytest.skip("there is no nats-server here")
    with running_backends(tmp_path, requires(kind)) as backends:
        (backend,) = backends.of(requires(kind))
        assert backend.type is kind
        assert backends.services_for(requires(kind)) == backend.services == kind.part_of(backend.services) != NOBODYS
        assert backend.proxy is None
        counters = backend.counters("nobody's")
        assert type(counters.since(counters).per_message(1)) is type(kind.not_counted)

        servers = kind.borrow(backend.servers.described(), os.getpid(), 1)
        assert servers is not None
        lent = Backend(kind, servers)
        assert lent.services == backend.services
        assert [child.pid for child in lent.children] == [child.pid for child in backend.children]
        lent.check()
        backend.children[0].kill()
        with pytest.raises(ServiceFailed, match="has ended"):
            lent.check()
        backend.check()  # what was killed on purpose has not failed
        before = backend.services
        backends.finish()
        assert backend.children[0].is_running
        assert backend.services == before
    assert not any(child.is_running for child in backend.children)


@pytest.mark.parametrize("kind", BACKENDS, ids=[kind.name for kind in BACKENDS])
def test_a_proxied_backend_is_found_at_its_proxy_and_both_end_together(kind: BackendType, tmp_path: Path) -> None:
    if kind is NATS and not has_nats_server():
        pytest.skip("there is no nats-server here")
    with running_backends(tmp_path, requires(kind), proxied=True) as backends:
        (backend,) = backends.of(requires(kind))
        assert backend.proxy is not None
        (address,) = filter(
            None, (backend.services.kafka_bootstrap, backend.services.redis_url, backend.services.nats_url)
        )
        assert [f":{port}" in address for port in backend.proxy.ports] == [True] * len(backend.proxy.ports)
    assert not backend.proxy.child.is_running
