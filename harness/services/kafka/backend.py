"""Kafka as a backend of a run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from architectures.interface import Services
from harness.services.backend import BackendType, Site
from harness.services.borrowed import Borrowed, describe, read_description
from harness.services.kafka.broker import Broker, Installation
from harness.services.kafka.cluster import Kafka
from harness.services.kafka.external import cluster_settings, remove_traces
from harness.services.kafka.install import ensure_installation
from harness.services.kafka.metrics import KafkaCounters, KafkaPerMessage, read_counters
from harness.services.processes import Child
from harness.services.proxy import Proxy, start_proxy
from peers.interface import OnProgress


class KafkaBackend:
    """A Backend of one or three brokers."""

    def __init__(self, kafka: Kafka, proxy_log: Path | None = None) -> None:
        """With a `proxy_log`, the brokers are reached through a proxy that logs there."""
        self.kafka = kafka
        self.proxy: Proxy | None = None
        self._proxy_log = proxy_log

    @classmethod
    def begin(cls, site: Site, on_progress: OnProgress) -> KafkaBackend:
        installation = ensure_installation(on_progress)
        kafka = Kafka.make(installation, site.brokers, site.workdir, site.logs, proxied=site.proxied)
        try:
            kafka.start()
        except BaseException:
            kafka.stop()
            raise
        return cls(kafka, site.proxy_log if site.proxied else None)

    @classmethod
    def borrow(cls, described: bytes, lender: int, brokers: int) -> KafkaBackend | None:
        lent = read_description(described, _Lent)
        if len(lent.brokers) != brokers:
            return None
        kafka = Kafka(lent.installation, lent.brokers)
        for broker, pid in zip(lent.brokers, lent.pids, strict=True):
            kafka.children.append(Borrowed(f"kafka broker {broker.node}", pid, broker.log, lender))
        return cls(kafka)

    @property
    def type(self) -> BackendType:
        return KAFKA

    @property
    def children(self) -> Sequence[Child]:
        return self.kafka.children

    @property
    def services(self) -> Services:
        return (
            self.kafka.services if self._proxy_log is None else Services(kafka_bootstrap=self.kafka.proxied_bootstrap)
        )

    def finish(self) -> None:
        for index, child in enumerate(self.kafka.children):
            if not child.is_running:
                self.kafka.start_again(index)
        self.kafka.wait_ready()
        if self._proxy_log is not None and self.proxy is None:
            routes = [(broker.proxy_port, broker.proxied_port) for broker in self.kafka.brokers]
            self.proxy = start_proxy("the proxy before Kafka", routes, self._proxy_log)

    def start_again(self, index: int) -> None:
        self.kafka.start_again(index)

    def check(self) -> None:
        self.kafka.check()
        if self.proxy is not None:
            self.proxy.child.check()

    def counters(self, run_id: str) -> KafkaCounters:
        """Of the topics of that run."""
        return read_counters(self.kafka.brokers, run_id)

    def described(self) -> bytes:
        pids = [child.pid for child in self.kafka.children]
        return describe(_Lent(self.kafka.installation, self.kafka.brokers, pids))

    def stop(self) -> None:
        if self.proxy is not None:
            self.proxy.child.kill()
        self.kafka.stop()


class _Lent(msgspec.Struct, frozen=True):
    installation: Installation
    brokers: list[Broker]
    pids: list[int]


def _part_of(services: Services) -> Services:
    return Services(kafka_bootstrap=services.kafka_bootstrap, kafka_settings=services.kafka_settings)


KAFKA = BackendType(
    name="kafka",
    component="kafka",
    product="Kafka",
    target="broker",
    not_counted=KafkaPerMessage(),
    part_of=_part_of,
    settings_at=cluster_settings,
    remove_traces=remove_traces,
    begin=KafkaBackend.begin,
    borrow=KafkaBackend.borrow,
)
