"""The Kafka client that the architectures share: topics, a producer with acks as futures, and a batching reader.

librdkafka works in its own threads. One thread per direction hands *batches* to the event loop, with one call per
batch, because a call per message costs more than the message (confluent-kafka's own figures, pull request 2045).
"""

from __future__ import annotations

import asyncio
import logging
import socket
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future as ThreadFuture
from functools import partial
from queue import SimpleQueue
from types import MappingProxyType
from typing import Any

from confluent_kafka import (
    OFFSET_BEGINNING,
    Consumer,
    KafkaError,
    KafkaException,
    Message,
    Producer,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient, OffsetSpec  # type: ignore[attr-defined]  # public, by its docs
from confluent_kafka.cimpl import NewTopic

from architectures.clients.kafka_topics import TopicWatch, deleted, message_max_bytes
from architectures.interface import BadTopology, Delivery, GoneForGood, Option, Rejected, Services, Topology

# Who confirms a record before it is acked: every in-sync replica (then a retry can neither duplicate nor reorder a
# record), the leader alone, or no broker. Values other than `all` are there to be measured, not to be used.
ACKS = ("all", "1", "0")
# The number of brokers that keep each record; all brokers if there are fewer.
REPLICAS_MAX = 3
KAFKA_OPTIONS: dict[str, Option] = {"acks": "all", "replicas": REPLICAS_MAX}
ClientSettings = dict[str, str | int | float | bool | logging.Logger]
PLAIN: Mapping[str, str] = MappingProxyType({})
LINGER_MS = 1.0
MESSAGE_MAX_BYTES = 1_000_000  # librdkafka's own limit, and that of its batches
POLL_S = 0.1
BATCH_MAX = 500
HANDED_BATCHES_MAX = 8
METADATA_TIMEOUT_S = 15.0
# The partition was just created, or its broker is coming back.
LEADERLESS = (
    KafkaError.NOT_LEADER_FOR_PARTITION,
    KafkaError.LEADER_NOT_AVAILABLE,
    KafkaError.UNKNOWN_TOPIC_OR_PART,
    KafkaError.FENCED_LEADER_EPOCH,
    KafkaError.UNKNOWN_LEADER_EPOCH,
    KafkaError._NOENT,  # librdkafka's own code for the same
)
# librdkafka recovers from these by itself, though it does not call them retriable. A deleted topic is not among them.
RECOVERS_BY_ITSELF = (
    KafkaError.NOT_LEADER_FOR_PARTITION,
    KafkaError.LEADER_NOT_AVAILABLE,
    KafkaError.FENCED_LEADER_EPOCH,
    KafkaError.UNKNOWN_LEADER_EPOCH,
    KafkaError._ALL_BROKERS_DOWN,
    KafkaError._TRANSPORT,
)


UNREACHED = (KafkaError._ALL_BROKERS_DOWN, KafkaError._TRANSPORT)
FORBIDDEN = (
    KafkaError.TOPIC_AUTHORIZATION_FAILED,
    KafkaError.GROUP_AUTHORIZATION_FAILED,
    KafkaError.CLUSTER_AUTHORIZATION_FAILED,
)
# An upper bound of the size of a batch with one record, without its key, value and headers.
FRAMING_BYTES = 96
LOOK_EVERY_S = 5.0  # how often to try the advertised addresses of the brokers while a request has no answer
CONNECT_MAX_S = 2.0


def gone_for_good(error: KafkaError) -> GoneForGood | None:
    """Return the error for the user if a retry cannot help; None for errors that may be temporary."""
    text = error.str()
    if error.code() in FORBIDDEN:
        return GoneForGood(
            f"Kafka forbids its user the required access ({text}); grant it access to all names with this prefix (ACLs)"
        )
    if error.code() == KafkaError._SSL and "certificate" in text:
        return GoneForGood(f"Kafka cannot be reached over TLS ({text}); check the certificates")
    if error.code() == KafkaError._AUTHENTICATION and "SASL authentication error" in text:
        return GoneForGood(f"Kafka does not let its user in ({text}); check --kafka-properties")
    return None


def for_user(problem: BaseException) -> BaseException:
    """Return the GoneForGood that stands for the problem, or else the problem itself."""
    return (gone_for_good(problem.args[0]) if isinstance(problem, KafkaException) else None) or problem


def create_topic(
    services: Services, topic: str, partitions: int, topology: Topology, settings: Mapping[str, str] = PLAIN
) -> None:
    """Create a topic with the topology's replication and the given topic settings, unless it exists.

    Blocks until its partitions have leaders. Raises KafkaException if the cluster refuses, and GoneForGood if a retry
    would not help.
    """
    replicas, in_sync_min = replication(topology)
    problems: list[KafkaError] = []
    admin = admin_client(services, problems.append)
    new = NewTopic(
        topic,
        num_partitions=partitions,
        replication_factor=replicas,
        config={"min.insync.replicas": str(in_sync_min), **settings},
    )
    created: ThreadFuture[None] = admin.create_topics([new], request_timeout=METADATA_TIMEOUT_S)[topic]
    try:
        _await_created(admin, created, services, problems)
    except KafkaException as refused:
        if (for_good := gone_for_good(refused.args[0])) is not None:
            raise for_good from refused
        if refused.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
            raise
    ends_of(services, topic, range(partitions))  # waits until the partitions have leaders


def _await_created(
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
        brokers = admin_client(services).list_topics(timeout=LOOK_EVERY_S).brokers.values()
    except KafkaException:
        return None  # without an answer, no address is advertised
    for broker in brokers:
        try:
            socket.create_connection((broker.host, broker.port), CONNECT_MAX_S).close()
        except OSError as problem:
            return f"{broker.host}:{broker.port}: {problem}"
    return None


def replication(topology: Topology) -> tuple[int, int]:
    """Return the number of replicas of each partition, and how many must be in sync for a write to be accepted."""
    replicas = min(int(topology.options.get("replicas", REPLICAS_MAX)), topology.brokers)
    return replicas, max(1, replicas - 1)


def client_settings(services: Services) -> ClientSettings:
    """Return the settings with which any client reaches the brokers; logs go to `logging` instead of the terminal."""
    assert services.kafka_bootstrap is not None, "only an architecture that requires Kafka may ask for it"
    log = logging.getLogger("librdkafka")
    return {**services.kafka_settings, "bootstrap.servers": services.kafka_bootstrap, "logger": log}


def admin_client(services: Services, on_problem: Callable[[KafkaError], None] | None = None) -> AdminClient:
    settings: dict[str, Any] = client_settings(services)  # the library's type lacks `logger`, which it accepts
    if on_problem is not None:
        settings["error_cb"] = on_problem
    return AdminClient(settings)


def partition_count(topology: Topology) -> int:
    """Return the number of partitions: the one that the user asked for, else one per gateway."""
    return topology.gateways if topology.partitions is None else topology.partitions


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
        self._hand_over()
        # Otherwise librdkafka's threads would go on, and connect again and again to a broker that has stopped. What is
        # still queued is given up first, because closing waits for it until its own timeout, which is minutes.
        self._producer.purge()
        self._producer.close()


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


def ends_of(services: Services, topic: str, partitions: Sequence[int]) -> list[TopicPartition]:
    """Return the current end offsets of the partitions. Raises KafkaException.

    Blocks for a round trip, or until the partitions have leaders. OFFSET_END would be resolved only at the first fetch,
    and would miss the records appended before it.
    """
    latest = OffsetSpec.latest()  # type: ignore[no-untyped-call]  # confluent-kafka's
    specs = {TopicPartition(topic, partition): latest for partition in partitions}
    deadline = time.monotonic() + METADATA_TIMEOUT_S
    while True:
        admin = admin_client(services)  # a new one each time: one that knows an old leader epoch never recovers
        try:
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


def assign_from_now(consumer: Consumer, services: Services, topic: str, partitions: Sequence[int]) -> dict[int, int]:
    """Read exactly these partitions from their current ends, and return these. Blocks for a round trip."""
    ends = ends_of(services, topic, partitions)
    consumer.assign(ends)
    return {end.partition: end.offset for end in ends}


def assign_from_start(consumer: Consumer, topic: str, partitions: Sequence[int]) -> None:
    """Read exactly these partitions from their beginnings."""
    consumer.assign([TopicPartition(topic, partition, OFFSET_BEGINNING) for partition in partitions])
