"""An embedded Apache Kafka in KRaft mode: one or three brokers on loopback, no Docker, no system Java."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import msgspec
from confluent_kafka import KafkaException

from architectures.clients.kafka_admin import admin_client
from architectures.interface import Services
from harness.core.errors import ServiceFailed
from harness.services.borrowed import Borrowed, describe, read_description
from harness.services.kafka.broker import PORTS, Broker, Installation, new_id, server_properties
from harness.services.kafka.metrics import KafkaCounters, read_counters
from harness.services.ports import free_ports
from harness.services.processes import Child, wait_until_listening

START_TIMEOUT_S = 60.0


class Kafka:
    """A cluster of brokers: `start`, `wait_ready`, then `stop`. It keeps the contract of Servers.

    Starting and waiting are separate so that the caller can do something else while a JVM is busy.
    """

    def __init__(self, installation: Installation, brokers: list[Broker]) -> None:
        self.installation = installation
        self.brokers = brokers
        self.children: list[Child] = []

    @classmethod
    def make(
        cls, installation: Installation, brokers: int, workdir: Path, logs: Path, *, proxied: bool = False
    ) -> Kafka:
        """`proxied`: the brokers also serve clients that come through a proxy, and refer them to no other address."""
        ports = free_ports(PORTS * brokers)
        cluster = [
            Broker.make(index + 1, ports[PORTS * index : PORTS * (index + 1)], workdir, logs)
            for index in range(brokers)
        ]
        for broker in cluster:
            broker.properties.write_text(server_properties(broker, cluster, proxied=proxied))
        return cls(installation, cluster)

    @classmethod
    def borrow(cls, described: bytes, lender: int, brokers: int) -> Kafka | None:
        """From what `described` returned there, the brokers of another process; None if they are not so many."""
        lent = read_description(described, _Lent)
        if len(lent.brokers) != brokers:
            return None
        kafka = cls(lent.installation, lent.brokers)
        for broker, pid in zip(lent.brokers, lent.pids, strict=True):
            kafka.children.append(Borrowed(f"kafka broker {broker.node}", pid, broker.log, lender))
        return kafka

    @property
    def ports(self) -> Sequence[int]:
        return [broker.port for broker in self.brokers]

    def proxy_ports(self) -> Sequence[tuple[int, int]]:
        return [(broker.proxy_port, broker.proxied_port) for broker in self.brokers]

    def services_at(self, ports: Sequence[int]) -> Services:
        return Services(kafka_bootstrap=",".join(f"127.0.0.1:{port}" for port in ports))

    @property
    def services(self) -> Services:
        """Where clients find the brokers without a proxy."""
        return self.services_at(self.ports)

    @property
    def bootstrap(self) -> str:
        return str(self.services.kafka_bootstrap)

    def start(self) -> None:
        """Begin to start the brokers. Raises ServiceFailed."""
        cluster_id = new_id()
        for broker in self.brokers:
            broker.format(cluster_id, self.installation.formatted)
            self.children.append(self._spawn(broker))

    def start_again(self, index: int) -> None:
        """Start a broker again after its process was killed, with the data it left on disk."""
        self.children[index] = self._spawn(self.brokers[index])

    def _spawn(self, broker: Broker) -> Child:
        return broker.start(self.installation)

    def finish(self) -> None:
        """Start again what was killed, and wait until every broker serves. Raises ServiceFailed."""
        for index, child in enumerate(self.children):
            if not child.is_running:
                self.start_again(index)
        self.wait_ready()

    def wait_ready(self) -> None:
        """Return when every broker serves and knows all the others; raises ServiceFailed otherwise."""
        deadline = time.monotonic() + START_TIMEOUT_S
        for broker, child in zip(self.brokers, self.children, strict=True):
            wait_until_listening(child, broker.port, START_TIMEOUT_S)
        there: set[int] = set()
        with admin_client(self.services) as admin:
            while time.monotonic() < deadline:
                self.check()
                try:
                    there = set(admin.list_topics(timeout=1).brokers)
                except KafkaException:
                    there = set()
                if len(there) == len(self.brokers):
                    return
                time.sleep(0.05)
        nodes = zip(self.brokers, self.children, strict=True)
        missing = next(child for broker, child in nodes if broker.node not in there)
        raise ServiceFailed(
            f"kafka was not ready within {START_TIMEOUT_S:g} s, {len(there)} of {len(self.brokers)} brokers answered; "
            f"{missing.name}: {missing.reason()}; its log is {missing.log}"
        )

    def check(self) -> None:
        """Raise ServiceFailed if a broker has ended by itself."""
        for child in self.children:
            child.check()

    def counters(self, run_id: str) -> KafkaCounters:
        """What the brokers have counted about the topics of that run. Raises ServiceFailed."""
        return read_counters(self.brokers, run_id)

    def described(self) -> bytes:
        return describe(_Lent(self.installation, self.brokers, [child.pid for child in self.children]))

    def stop(self) -> None:
        """Kill every process. Nothing needs to be saved: the folders are removed with the run."""
        for child in self.children:
            child.kill()


class _Lent(msgspec.Struct, frozen=True):
    installation: Installation
    brokers: list[Broker]
    pids: list[int]
