"""Queries about a topic: how large a message may be, and whether the topic was deleted."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable

from confluent_kafka import KafkaError, KafkaException, TopicCollection
from confluent_kafka.admin import AdminClient, ConfigResource  # type: ignore[attr-defined]  # public, by its docs

from architectures.interface import GoneForGood

LOOK_EVERY_S = 2.0
MISSING_LOOKS_MIN = 2  # a restarted broker may not know all topics at first
ANSWER_TIMEOUT_S = 5.0
CALM_AFTER_S = 5.0  # since the last report of an unreachable broker; while one is away, there is a report each second

NewAdmin = Callable[[], AdminClient]


async def message_max_bytes(new_admin: NewAdmin, topic: str) -> int | None:
    """Return the topic's `max.message.bytes`; None if the query is forbidden or not answered."""

    def ask() -> int | None:
        resource = ConfigResource(ConfigResource.Type.TOPIC, topic)
        try:
            with new_admin() as admin:  # pending requests end with the client
                config = admin.describe_configs([resource], request_timeout=ANSWER_TIMEOUT_S)[resource]
                return int(config.result()["max.message.bytes"].value)
        except (KafkaException, TimeoutError):
            return None

    return await asyncio.to_thread(ask)


def deleted(topic: str) -> GoneForGood:
    """Return the error for the user if the topic does not exist any more."""
    return GoneForGood(f"the topic {topic} was deleted from Kafka while it was in use; start again")


class TopicWatch:
    """Calls `failed` when the topic was deleted; librdkafka would silently wait for minutes for it to come back.

    It does not query while a broker is away: librdkafka retries such a query without a pause, which takes CPU from the
    brokers that must elect a new leader. Each query has its own client, which ends with it.
    """

    def __init__(self, new_admin: NewAdmin, topic: str, failed: Callable[[BaseException], None]) -> None:
        self._new_admin = new_admin
        self._topic = topic
        self._failed = failed
        self._trouble_s = -math.inf
        self._watching = asyncio.create_task(self._watch())

    def note_trouble(self) -> None:
        """Note that a broker could not be reached. Any thread may call this."""
        self._trouble_s = time.monotonic()

    async def _watch(self) -> None:
        first: str | None = None
        missing = 0
        while True:
            is_calm = time.monotonic() - self._trouble_s > CALM_AFTER_S
            topic_id = await asyncio.to_thread(self._topic_id) if is_calm else None
            missing = missing + 1 if topic_id == "" else 0
            first = first or topic_id
            was_recreated = bool(first and topic_id and topic_id != first)  # under the same name
            if missing >= MISSING_LOOKS_MIN or was_recreated:
                self._failed(deleted(self._topic))
                return
            await asyncio.sleep(LOOK_EVERY_S)

    def _topic_id(self) -> str | None:
        """Return the topic's id; empty if there is no such topic, None if no broker answers in time. Blocks."""
        try:
            with self._new_admin() as admin:
                answers = admin.describe_topics(TopicCollection([self._topic]), request_timeout=ANSWER_TIMEOUT_S)
                return str(answers[self._topic].result().topic_id)
        except KafkaException as problem:
            return "" if problem.args[0].code() == KafkaError.UNKNOWN_TOPIC_OR_PART else None

    async def close(self) -> None:
        self._watching.cancel()
        await asyncio.wait([self._watching])
