"""Kafka clients for an architecture of your own: topics, a producer whose futures resolve on acks, a batch reader."""

from __future__ import annotations

from architectures.clients.kafka_admin import create_topic
from architectures.clients.kafka_producer import AckedProducer
from architectures.clients.kafka_reader import BatchReader, assign_from_now, delivery_of, unread
from architectures.clients.kafka_settings import (
    KAFKA_OPTIONS,
    acks_of,
    check_kafka_options,
    consumer_settings,
    partition_count,
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
