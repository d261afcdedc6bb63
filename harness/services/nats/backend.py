"""NATS as a backend of a run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from architectures.interface import Services
from harness.services.backend import BackendType, Site, nothing_to_record, nothing_to_remove
from harness.services.borrowed import Borrowed, describe, read_description
from harness.services.nats.metrics import NatsCounters, NatsPerMessage, read_counters
from harness.services.nats.server import NatsServer, nats_url_of, start_nats
from harness.services.ports import free_ports
from harness.services.processes import Child
from harness.services.proxy import Proxy, start_proxy
from peers.interface import OnProgress


class NatsBackend:
    """A Backend of one server."""

    def __init__(self, server: NatsServer, proxy_log: Path | None = None) -> None:
        """With a `proxy_log`, the server is reached through a proxy that logs there."""
        self._server = server
        self.proxy: Proxy | None = None
        self._proxy_log = proxy_log

    @classmethod
    def begin(cls, site: Site, _on_progress: OnProgress) -> NatsBackend:
        return cls(start_nats(site.logs / "nats.log"), site.proxy_log if site.proxied else None)

    @classmethod
    def borrow(cls, described: bytes, lender: int, _brokers: int) -> NatsBackend:
        lent = read_description(described, _Lent)
        return cls(NatsServer(Borrowed("nats", lent.pid, lent.log, lender), lent.port, lent.monitor_port))

    @property
    def type(self) -> BackendType:
        return NATS

    @property
    def children(self) -> Sequence[Child]:
        return [self._server.child]

    @property
    def services(self) -> Services:
        (port,) = (self._server.port,) if self.proxy is None else self.proxy.ports
        return Services(nats_url=nats_url_of(port))

    def finish(self) -> None:
        self._server.finish()
        if self._proxy_log is not None and self.proxy is None:
            (port,) = free_ports(1)
            self.proxy = start_proxy("the proxy before NATS", [(port, self._server.port)], self._proxy_log)

    def start_again(self, _index: int) -> None:
        self._server.start_again()

    def check(self) -> None:
        self._server.check()
        if self.proxy is not None:
            self.proxy.child.check()

    def counters(self, _run_id: str) -> NatsCounters:
        """Of all clients: NATS does not tell them apart."""
        return read_counters(self._server.monitor_port)

    def described(self) -> bytes:
        server = self._server
        return describe(_Lent(server.port, server.monitor_port, server.child.pid, server.child.log))

    def stop(self) -> None:
        if self.proxy is not None:
            self.proxy.child.kill()
        self._server.stop()


class _Lent(msgspec.Struct, frozen=True):
    port: int
    monitor_port: int
    pid: int
    log: Path


NATS = BackendType(
    name="nats",
    component="nats",
    product="NATS",
    target="nats",
    not_counted=NatsPerMessage(),
    part_of=lambda services: Services(nats_url=services.nats_url),
    settings_at=nothing_to_record,
    remove_traces=nothing_to_remove,
    begin=NatsBackend.begin,
    borrow=NatsBackend.borrow,
)
