"""Creates Kafka topics, and finds the ends of their partitions. These calls block."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future as ThreadFuture
from types import MappingProxyType
from typing import Any

from confluent_kafka import KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec  # type: ignore[attr-defined]  # public, by its docs
from confluent_kafka.cimpl import NewTopic

from architectures.clients.kafka_errors import LEADERLESS, gone_for_good
from architectures.clients.kafka_settings import POLL_S, client_settings, replication
from architectures.interface import GoneForGood, Services, Topology

PLAIN: Mapping[str, str] = MappingProxyType({})
METADATA_TIMEOUT_S = 15.0
LOOK_EVERY_S = 5.0  # how often to try the advertised addresses of the brokers while a request has no answer
CONNECT_MAX_S = 2.0


def admin_client(services: Services, on_problem: Callable[[KafkaError], None] | None = None) -> AdminClient:
    """Return a client for `with`: otherwise it stays connected, behind an exception until that has been collected."""
    settings: dict[str, Any] = client_settings(services)  # the library's type lacks `logger`, which it accepts
    if on_problem is not None:
        settings["error_cb"] = on_problem
    return AdminClient(settings)


def create_topic(
    services: Services, topic: str, partitions: int, topology: Topology, settings: Mapping[str, str] = PLAIN
) -> None:
    """Create a topic with the topology's replication and the given topic settings, unless it exists.

    Blocks until its partitions have leaders. Raises KafkaException if the cluster refuses, and GoneForGood if a retry
    would not help.
    """
    replicas, in_sync_min = replication(topology)
    problems: list[KafkaError] = []
    new = NewTopic(
        topic,
        num_partitions=partitions,
        replication_factor=replicas,
        config={"min.insync.replicas": str(in_sync_min), **settings},
    )
    try:
        with admin_client(services, problems.append) as admin:
            created: ThreadFuture[None] = admin.create_topics([new], request_timeout=METADATA_TIMEOUT_S)[topic]
            await_created(admin, created, services, problems)
    except KafkaException as refused:
        if (for_good := gone_for_good(refused.args[0])) is not None:
            raise for_good from refused
        if refused.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
            raise
    ends_of(services, topic, range(partitions))  # waits until the partitions have leaders


def await_created(
    admin: AdminClient, created: ThreadFuture[None], services: Services, problems: list[KafkaError]
) -> None:
    """Wait for the answer; raises GoneForGood if the brokers advertise an address that cannot be reached."""
    deadline, looked_s = time.monotonic() + 2 * METADATA_TIMEOUT_S, time.monotonic()
    while not created.done() and time.monotonic() < deadline:
        admin.poll(POLL_S)
        for problem in problems:
            if (for_good := gone_for_good(problem)) is not None:
                raise for_good
        if problems and time.monotonic() - looked_s > LOOK_EVERY_S:
            if (unreachable := _unreachable_broker(services)) is not None:
                raise GoneForGood(
                    f"Kafka answered at {services.kafka_bootstrap}, but one of its brokers cannot be reached at the "
                    f"address that it advertises ({unreachable}); let it advertise an address that can be reached from "
                    "here (advertised.listeners)"
                )
            looked_s = time.monotonic()
    created.result(timeout=0)


def _unreachable_broker(services: Services) -> str | None:
    """Return an advertised address of a broker that accepts no connection, with the reason; None if there is none.

    A missing answer may also have another reason: an outdated bootstrap address, or a temporary problem.
    """
    try:
        # A new client asks at the bootstrap address. One that knows brokers may ask only these, and not reach them.
        with admin_client(services) as admin:
            brokers = admin.list_topics(timeout=LOOK_EVERY_S).brokers.values()
    except KafkaException:
        return None  # without an answer, no address is advertised
    for broker in brokers:
        try:
            socket.create_connection((broker.host, broker.port), CONNECT_MAX_S).close()
        except OSError as problem:
            return f"{broker.host}:{broker.port}: {problem}"
    return None


def ends_of(services: Services, topic: str, partitions: Sequence[int]) -> list[TopicPartition]:
    """Return the current end offsets of the partitions. Raises KafkaException.

    Blocks for a round trip, or until the partitions have leaders. OFFSET_END would be resolved only at the first fetch,
    and would miss the records appended before it.
    """
    latest = OffsetSpec.latest()  # type: ignore[no-untyped-call]  # confluent-kafka's
    specs = {TopicPartition(topic, partition): latest for partition in partitions}
    deadline = time.monotonic() + METADATA_TIMEOUT_S
    while True:
        try:
            with admin_client(services) as admin:  # a new one: one that knows an old leader epoch never recovers
                futures = admin.list_offsets(specs)
                answers = {place: answer.result(METADATA_TIMEOUT_S) for place, answer in futures.items()}
        except KafkaException as problem:
            error = problem.args[0]
            is_temporary = error.code() in LEADERLESS or error.retriable()
            if not is_temporary or time.monotonic() > deadline:
                raise
            time.sleep(0.02)
        else:
            return [TopicPartition(topic, place.partition, answer.offset) for place, answer in answers.items()]
