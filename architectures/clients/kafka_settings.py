"""The settings of Kafka clients: those that every client has, and the options that a user may set."""

from __future__ import annotations

import logging

from architectures.interface import BadTopology, Option, Services, Topology

# Who confirms a record before it is acked: every in-sync replica (then a retry can neither duplicate nor reorder a
# record), the leader alone, or no broker. Values other than `all` are there to be measured, not to be used.
ACKS = ("all", "1", "0")
# The number of brokers that keep each record; all brokers if there are fewer.
REPLICAS_MAX = 3
KAFKA_OPTIONS: dict[str, Option] = {"acks": "all", "replicas": REPLICAS_MAX}
ClientSettings = dict[str, str | int | float | bool | logging.Logger]
POLL_S = 0.1  # how long one poll of a client waits at most


def client_settings(services: Services) -> ClientSettings:
    """Return the settings with which any client reaches the brokers; logs go to `logging` instead of the terminal."""
    assert services.kafka_bootstrap is not None, "only an architecture that requires Kafka may ask for it"
    log = logging.getLogger("librdkafka")
    return {**services.kafka_settings, "bootstrap.servers": services.kafka_bootstrap, "logger": log}


def consumer_settings(services: Services, client_id: str, group: str) -> ClientSettings:
    """Return the settings that all consumers share. `fetch.wait.max.ms` only bounds an idle fetch."""
    return {
        **client_settings(services),
        "client.id": client_id,
        "group.id": group,
        "enable.auto.commit": False,
        "auto.offset.reset": "earliest",
        "fetch.wait.max.ms": 100,
        "queued.max.messages.kbytes": 16384,
    }


def group_settings() -> dict[str, str | int | bool]:
    """Return settings for members of a consumer group: rebalances are fast and move only the partitions that must."""
    return {
        "partition.assignment.strategy": "cooperative-sticky",
        # A member learns of a rebalance at its next heartbeat: the group settles in one second, not ten.
        "heartbeat.interval.ms": 300,
        "session.timeout.ms": 6000,  # the minimum that brokers allow by default
    }


def partition_count(topology: Topology) -> int:
    """Return the number of partitions: the one that the user asked for, else one per gateway."""
    return topology.gateways if topology.partitions is None else topology.partitions


def replication(topology: Topology) -> tuple[int, int]:
    """Return the number of replicas of each partition, and how many must be in sync for a write to be accepted."""
    replicas = min(int(topology.options.get("replicas", REPLICAS_MAX)), topology.brokers)
    return replicas, max(1, replicas - 1)


def check_kafka_options(topology: Topology) -> None:
    """Raise BadTopology for the first of KAFKA_OPTIONS that has an impossible value."""
    acks_of(topology)
    replicas = topology.options.get("replicas", REPLICAS_MAX)
    if replicas not in range(1, REPLICAS_MAX + 1):
        raise BadTopology(f"--arch-set replicas is {replicas}, but it must be 1, 2 or {REPLICAS_MAX}")


def acks_of(topology: Topology) -> str:
    """Return the option `acks`; raises BadTopology for a value that Kafka does not know."""
    acks = topology.options.get("acks", KAFKA_OPTIONS["acks"])
    if acks not in ACKS:
        raise BadTopology(f"--arch-set acks is {acks!r}, but it must be one of {', '.join(ACKS)}")
    return str(acks)


def ack_settings(acks: str) -> dict[str, str | bool]:
    """Return a producer's settings for the option `acks`. A producer can be idempotent only with `all`."""
    return {"acks": acks, "enable.idempotence": acks == "all"}
