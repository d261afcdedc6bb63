"""Kafka clients for an architecture of your own: topics, a producer whose futures resolve on acks, a batch reader."""

from __future__ import annotations

from architectures.clients.kafka import (
    KAFKA_OPTIONS,
    AckedProducer,
    BatchReader,
    acks_of,
    assign_from_now,
    check_kafka_options,
    consumer_settings,
    create_topic,
    delivery_of,
    partition_count,
    unread,
)

__all__ = [
    "KAFKA_OPTIONS",
    "AckedProducer",
    "BatchReader",
    "acks_of",
    "assign_from_now",
    "check_kafka_options",
    "consumer_settings",
    "create_topic",
    "delivery_of",
    "partition_count",
    "unread",
]
