"""A Kafka producer whose acks are futures.

librdkafka works in its own threads. One thread hands *batches* of acks to the event loop, with one call per batch,
because a call per message costs more than the message (confluent-kafka's own figures, pull request 2045).
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from confluent_kafka import KafkaError, Producer

from architectures.clients.kafka_admin import admin_client
from architectures.clients.kafka_errors import FORBIDDEN, UNREACHED, gone_for_good
from architectures.clients.kafka_settings import POLL_S, ack_settings, client_settings
from architectures.clients.kafka_topics import TopicWatch, message_max_bytes
from architectures.interface import Rejected, Services

LINGER_MS = 1.0
MESSAGE_MAX_BYTES = 1_000_000  # librdkafka's own limit, and that of its batches
# An upper bound of the size of a batch with one record, without its key, value and headers.
FRAMING_BYTES = 96


class AckedProducer:
    """A producer whose `send` returns a future that resolves when Kafka has acked every copy. `to` makes one."""

    def __init__(
        self,
        services: Services,
        client_id: str,
        acks: str,
        *,
        watch: TopicWatch,
        failed: Callable[[BaseException], None],
        message_max_bytes: int,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._watch = watch
        self._failed = failed
        self._message_max_bytes = message_max_bytes
        settings: dict[str, Any] = client_settings(services)  # as in admin_client
        self._producer = Producer(
            {
                **settings,
                "client.id": client_id,
                "error_cb": self._on_problem,
                "linger.ms": LINGER_MS,
                # A broker refuses a whole batch if it is too large.
                "batch.size": message_max_bytes,
                # Only for records without a given partition: chosen by key, a room's would all go to the same one.
                "partitioner": "random",
                **ack_settings(acks),
            }
        )
        self._settled: list[tuple[_Copies, KafkaError | None]] = []  # only for the polling thread
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._poll, name="kafka-acks", daemon=True)
        self._thread.start()

    @classmethod
    async def to(
        cls,
        services: Services,
        topic: str,
        client_id: str,
        failed: Callable[[BaseException], None],
        acks: str = "all",
    ) -> AckedProducer:
        """Connect. `failed` is called when the topic is deleted, or when Kafka no longer allows writing to it."""
        new_admin = partial(admin_client, services)
        limit = min(await message_max_bytes(new_admin, topic) or MESSAGE_MAX_BYTES, MESSAGE_MAX_BYTES)
        watch = TopicWatch(new_admin, topic, failed)
        return cls(services, client_id, acks, watch=watch, failed=failed, message_max_bytes=limit)

    def send(
        self, topic: str, partitions: Sequence[int] | None, key: bytes, value: bytes, message_id: bytes | None
    ) -> asyncio.Future[None]:
        """Produce one record to each of the partitions, or, with None, one record to any partition.

        Raises Rejected at once if the producer's bounded queue is full, or if the message is larger than Kafka accepts,
        which would then refuse the whole batch with the messages beside it.
        """
        size_bytes = FRAMING_BYTES + len(key) + len(value) + len(message_id or b"")
        if size_bytes > self._message_max_bytes:
            raise Rejected(
                f"the message has {len(value):,} bytes, but Kafka takes {self._message_max_bytes:,} at most, "
                f"of which it needs {FRAMING_BYTES} itself (max.message.bytes)"
            )
        targets = (-1,) if partitions is None else partitions
        copies = _Copies(self._loop.create_future(), len(targets))
        headers: list[tuple[str, str | bytes | None]] | None = None if message_id is None else [("id", message_id)]
        # Delivery reports arrive on the polling thread, which hands the list over in one call after each poll.
        settled = self._settled
        try:
            for partition in targets:
                self._producer.produce(
                    topic,
                    value,
                    key,
                    partition,
                    on_delivery=lambda error, _record: settled.append((copies, error)),
                    headers=headers,
                )
        except BufferError as full:
            copies.acked.cancel()  # the acks of the copies that were queued are ignored
            raise Rejected("the producer's queue is full: Kafka is slower than the load") from full
        return copies.acked

    def _poll(self) -> None:
        while not self._closing.is_set():
            self._producer.poll(POLL_S)
            self._hand_over()

    def _hand_over(self) -> None:
        if not self._settled:
            return
        batch = self._settled[:]
        del self._settled[: len(batch)]
        self._loop.call_soon_threadsafe(_settle, batch)
        for _copies, error in batch:
            if error is not None and error.code() in FORBIDDEN:
                self._on_problem(error)

    def _on_problem(self, error: KafkaError) -> None:
        """Runs on the polling thread. librdkafka recovers from temporary problems by itself."""
        if error.code() in UNREACHED:
            self._watch.note_trouble()
        if (for_good := gone_for_good(error)) is not None:
            self._loop.call_soon_threadsafe(self._failed, for_good)

    async def close(self, timeout_s: float = 5.0) -> None:
        """Wait until every accepted message is acked or has failed, at most `timeout_s` seconds, then disconnect."""
        await self._watch.close()
        await asyncio.to_thread(self._close, timeout_s)

    def _close(self, timeout_s: float) -> None:
        self._closing.set()
        self._thread.join()
        self._producer.flush(timeout_s)
        # Otherwise librdkafka's threads would go on, and connect again and again to a broker that has stopped. What is
        # still queued is given up first, because closing waits for it until its own timeout, which is minutes.
        self._producer.purge()
        self._producer.close()
        self._hand_over()  # also what was given up just now: it has failed


class _Copies:
    """The copies of one message that are not acked yet."""

    __slots__ = ("acked", "unacked")

    def __init__(self, acked: asyncio.Future[None], unacked: int) -> None:
        self.acked = acked
        self.unacked = unacked


def _settle(batch: Sequence[tuple[_Copies, KafkaError | None]]) -> None:
    for copies, error in batch:
        if copies.acked.done():  # another copy was refused, or the sender is gone
            continue
        copies.unacked -= 1
        if error is not None:
            copies.acked.set_exception(Rejected(f"Kafka did not accept the message: {error.str()}"))
        elif copies.unacked == 0:
            copies.acked.set_result(None)
