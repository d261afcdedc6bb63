"""What Kafka says of a topic: how large a message may be there, and whether it is still the topic it was."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable

from confluent_kafka import KafkaError, KafkaException, TopicCollection
from confluent_kafka.admin import AdminClient, ConfigResource  # type: ignore[attr-defined]  # public, by its docs

from architectures.interface import GoneForGood

LOOK_EVERY_S = 2.0
MISSING_LOOKS_MIN = 2  # a broker that comes back may not know all topics at once
ANSWER_TIMEOUT_S = 5.0
CALM_AFTER_S = 5.0  # without a word of a broker that could not be reached; while it is away there is one a second

NewAdmin = Callable[[], AdminClient]


async def message_max_bytes(new_admin: NewAdmin, topic: str) -> int | None:
    """The topic's `max.message.bytes`; None where to ask for it is forbidden, or nobody answers."""

    def ask() -> int | None:
        admin = new_admin()  # what it was asked ends with it
        asked = ConfigResource(ConfigResource.Type.TOPIC, topic)
        told = admin.describe_configs([asked], request_timeout=ANSWER_TIMEOUT_S)[asked]
        try:
            return int(told.result()["max.message.bytes"].value)
        except (KafkaException, TimeoutError):
            return None

    return await asyncio.to_thread(ask)


def deleted(topic: str) -> GoneForGood:
    """What the user is told of a topic that is not there any more."""
    return GoneForGood(f"the topic {topic} was deleted from Kafka while it was in use; start again")


class TopicWatch:
    """Tells `failed` when the topic was deleted: librdkafka waits for it to come again, for minutes and in silence.

    While a broker is away nobody looks: what librdkafka cannot ask, it asks again without a pause, which takes the
    CPU from the brokers that must elect a new leader. Each look has a client of its own, which ends with it.
    """

    def __init__(self, new_admin: NewAdmin, topic: str, failed: Callable[[BaseException], None]) -> None:
        self._new_admin = new_admin
        self._topic = topic
        self._failed = failed
        self._trouble_s = -math.inf
        self._looking = asyncio.create_task(self._look())

    def note_trouble(self) -> None:
        """A broker could not be reached. Any thread may call it."""
        self._trouble_s = time.monotonic()

    async def _look(self) -> None:
        first: str | None = None
        missing = 0
        while True:
            calm = time.monotonic() - self._trouble_s > CALM_AFTER_S
            topic_id = await asyncio.to_thread(self._topic_id) if calm else None
            missing = missing + 1 if topic_id == "" else 0
            first = first or topic_id
            another = bool(first and topic_id and topic_id != first)  # of the same name, made since
            if missing >= MISSING_LOOKS_MIN or another:
                self._failed(deleted(self._topic))
                return
            await asyncio.sleep(LOOK_EVERY_S)

    def _topic_id(self) -> str | None:
        """Empty if there is no such topic; None if nobody says so in time. Blocks."""
        try:
            admin = self._new_admin()
            asked = admin.describe_topics(TopicCollection([self._topic]), request_timeout=ANSWER_TIMEOUT_S)
            return str(asked[self._topic].result().topic_id)
        except KafkaException as problem:
            return "" if problem.args[0].code() == KafkaError.UNKNOWN_TOPIC_OR_PART else None

    async def close(self) -> None:
        self._looking.cancel()
        await asyncio.wait([self._looking])
