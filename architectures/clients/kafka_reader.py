"""Reads Kafka records in batches: a thread that polls a consumer, and what the records contain.

librdkafka works in its own threads. One thread hands *batches* of records to the event loop, with one call per batch,
because a call per message costs more than the message (confluent-kafka's own figures, pull request 2045).
"""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Callable, Sequence
from queue import SimpleQueue

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Message, TopicPartition

from architectures.clients.kafka_admin import ends_of
from architectures.clients.kafka_errors import RECOVERS_BY_ITSELF, for_user
from architectures.clients.kafka_settings import POLL_S
from architectures.clients.kafka_topics import deleted
from architectures.interface import Delivery, Services

BATCH_MAX = 500
HANDED_BATCHES_MAX = 8


class BatchReader:
    """A thread that polls a consumer and hands batches of records to `on_records` on the event loop.

    When HANDED_BATCHES_MAX batches wait for the loop, the thread stops polling, and later records wait in librdkafka's
    bounded queue and on the broker.
    """

    def __init__(
        self,
        consumer: Consumer,
        on_records: Callable[[Sequence[Message]], None],
        failed: Callable[[BaseException], None],
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._consumer = consumer
        self._on_records = on_records
        self._failed = failed
        self._free_batches = threading.Semaphore(HANDED_BATCHES_MAX)
        self._changes: SimpleQueue[tuple[Callable[[Consumer], None], asyncio.Future[None]]] = SimpleQueue()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._read, name="kafka-reader", daemon=True)
        self._thread.start()

    def _read(self) -> None:
        try:
            while not self._closing.is_set():
                self._run_changes()
                records = poll_batch(self._consumer)
                while records and not self._closing.is_set():
                    if self._free_batches.acquire(timeout=POLL_S):
                        self._loop.call_soon_threadsafe(self._deliver, records)
                        break
        except BaseException as problem:  # noqa: BLE001 - a gateway must not go on without this thread
            self._loop.call_soon_threadsafe(self._failed, for_user(problem))

    async def between_polls(self, change: Callable[[Consumer], None]) -> None:
        """Call `change` on the reading thread, because a consumer blocks other threads while it is polled."""
        done: asyncio.Future[None] = self._loop.create_future()
        self._changes.put((change, done))
        await done

    def _run_changes(self) -> None:
        while not self._changes.empty():
            change, done = self._changes.get()
            change(self._consumer)
            self._loop.call_soon_threadsafe(_set_done, done)

    def _deliver(self, records: Sequence[Message]) -> None:
        self._free_batches.release()
        self._on_records(records)

    async def close(self) -> None:
        """Stop reading and leave the group, if any."""
        await asyncio.to_thread(self._close)

    def _close(self) -> None:
        self._closing.set()
        self._thread.join()
        self._consumer.close()


def _set_done(future: asyncio.Future[None]) -> None:
    if not future.done():  # else the waiting task was cancelled
        future.set_result(None)


def poll_batch(consumer: Consumer) -> list[Message]:
    """Return the available records, after waiting at most POLL_S; raises KafkaException if no more can come."""
    first = consumer.poll(POLL_S)
    if first is None:
        return []
    # consume(n, timeout) waits for n records or the whole timeout (issue 407 of the Python client). So wait for one
    # record, then take those that are available.
    return [record for record in (first, *consumer.consume(BATCH_MAX, 0)) if not _is_error(record)]


def _is_error(record: Message) -> bool:
    """Whether it is an error from which librdkafka recovers by itself, and not a record.

    Raises GoneForGood if the topic was deleted, and KafkaException for other errors.
    """
    error = record.error()
    if error is None:
        return False
    if error.code() == KafkaError.UNKNOWN_TOPIC_OR_PART and (topic := record.topic()) is not None:
        raise deleted(topic)
    if error.fatal() or not (error.retriable() or error.code() in RECOVERS_BY_ITSELF):
        raise KafkaException(error)
    return True


def unread(read_up_to: dict[int, int], records: Sequence[Message]) -> list[Message]:
    """Return the records that were not read before, and advance `read_up_to`: the next offset by partition.

    Offsets only grow, so a record that is read again, which may happen when a partition's leader changes, is recognised
    by its offset. Records of partitions that are not in `read_up_to` are left out: a batch may still contain some after
    the partition was revoked, and its next owner reads them.
    """
    new = []
    for record in records:
        partition, offset = place_of(record)
        if offset >= read_up_to.get(partition, sys.maxsize):
            read_up_to[partition] = offset + 1
            new.append(record)
    return new


def payloads_of(records: Sequence[Message]) -> list[bytes]:
    return [delivery_of(record).payload for record in records]


def message_id_of(record: Message) -> bytes:
    """Return the `message_id` with which AckedProducer.send was called for this record."""
    headers = record.headers()
    assert isinstance(headers, list)
    message_id = headers[0][1]
    assert isinstance(message_id, bytes)
    return message_id


def delivery_of(record: Message) -> Delivery:
    """Return the delivery of a record, whose key is the room and whose value is the payload."""
    key, value = record.key(), record.value()
    assert isinstance(key, bytes)
    assert isinstance(value, bytes)
    return Delivery(key.decode(), value)


def place_of(record: Message) -> tuple[int, int]:
    """Return the partition and the offset of a record that was read."""
    partition, offset = record.partition(), record.offset()
    assert partition is not None
    assert offset is not None
    return partition, offset


def assign_from_now(consumer: Consumer, services: Services, topic: str, partitions: Sequence[int]) -> dict[int, int]:
    """Read exactly these partitions from their current ends, and return these. Blocks for a round trip."""
    ends = ends_of(services, topic, partitions)
    consumer.assign(ends)
    return {end.partition: end.offset for end in ends}


def assign_from_start(consumer: Consumer, topic: str, partitions: Sequence[int]) -> None:
    """Read exactly these partitions from their beginnings."""
    consumer.assign([TopicPartition(topic, partition, OFFSET_BEGINNING) for partition in partitions])
