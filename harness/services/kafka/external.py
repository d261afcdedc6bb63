"""Kafka that somebody else runs: which of its settings matter to a run, and how what a run made there is removed."""

from __future__ import annotations

import time
from collections.abc import Mapping
from concurrent.futures import Future, wait

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient, ConfigResource  # type: ignore[attr-defined]  # public, by its docs

from architectures.clients.kafka_admin import admin_client
from architectures.interface import Services
from harness.core.errors import ServiceFailed

ANSWER_TIMEOUT_S = 10.0
CLUSTER_SETTINGS = (
    *("group.min.session.timeout.ms", "group.max.session.timeout.ms", "group.initial.rebalance.delay.ms"),
    *("group.consumer.session.timeout.ms", "group.consumer.heartbeat.interval.ms"),
    *("min.insync.replicas", "unclean.leader.election.enable", "default.replication.factor"),
    *("num.network.threads", "num.io.threads", "message.max.bytes"),
)
VANISHED_MAX_S = 10.0  # more than a consumer's session


def cluster_settings(services: Services) -> dict[str, str]:
    """The values of CLUSTER_SETTINGS at external brokers: a run notices a loss as quickly as they allow."""
    try:
        with admin_client(services) as admin:
            node = min(admin.list_topics(timeout=ANSWER_TIMEOUT_S).brokers)
            asked = ConfigResource(ConfigResource.Type.BROKER, str(node))
            told = admin.describe_configs([asked], request_timeout=ANSWER_TIMEOUT_S)[asked].result(ANSWER_TIMEOUT_S)
    except (KafkaException, TimeoutError) as problem:
        return {"not measured": str(problem)}  # the user may not be allowed to read settings
    return {name: str(told[name].value) for name in CLUSTER_SETTINGS if name in told}


def remove_traces(services: Services, prefix: str) -> None:
    """Delete the topics and groups with that prefix, and no others; raises ServiceFailed if some stay."""
    if services.kafka_bootstrap is None:
        return
    try:
        with admin_client(services) as admin:
            topics = [name for name in admin.list_topics(timeout=ANSWER_TIMEOUT_S).topics if name.startswith(prefix)]
            if topics:
                _done(admin.delete_topics(topics, request_timeout=ANSWER_TIMEOUT_S))
            _remove_groups(admin, prefix)
    except (KafkaException, TimeoutError) as problem:
        raise ServiceFailed(
            f"what was made in Kafka could not be removed ({problem}); delete what begins with {prefix}"
        ) from problem


def _remove_groups(admin: AdminClient, prefix: str) -> None:
    deadline = time.monotonic() + VANISHED_MAX_S
    while True:
        listed = admin.list_consumer_groups(request_timeout=ANSWER_TIMEOUT_S).result()
        groups = [group.group_id for group in listed.valid if group.group_id.startswith(prefix)]
        if not groups:
            return None
        try:
            return _done(admin.delete_consumer_groups(groups, request_timeout=ANSWER_TIMEOUT_S))
        except KafkaException as problem:
            # The broker notices that a gateway was killed only when its session has expired.
            if problem.args[0].code() != KafkaError.NON_EMPTY_GROUP or time.monotonic() > deadline:
                raise
        time.sleep(0.5)


def _done(deleted: Mapping[str, Future[None]]) -> None:
    wait(deleted.values(), ANSWER_TIMEOUT_S)
    for each in deleted.values():
        each.result(0)
