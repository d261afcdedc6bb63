"""What every Kafka architecture shares: topics, a producer whose futures mean "acked", a batching reader.

librdkafka works in threads of its own. Here one thread per direction hands *batches* to the event loop, one call
a batch, because a call per message costs more than the message (confluent-kafka's own figures, pull request 2045).
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

# Whose word an ack is: of every in-sync replica (and then a retry can neither double nor reorder a record), of the
# leader alone, or of nobody. Anything but `all` is there to be measured, not to be used.
ACKS = ("all", "1", "0")
# How many brokers keep each record, at most: with fewer brokers, all of them.
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
# A partition was just made, or its broker is on its way back.
LEADERLESS = (
    KafkaError.NOT_LEADER_FOR_PARTITION,
    KafkaError.LEADER_NOT_AVAILABLE,
    KafkaError.UNKNOWN_TOPIC_OR_PART,
    KafkaError.FENCED_LEADER_EPOCH,
    KafkaError.UNKNOWN_LEADER_EPOCH,
    KafkaError._NOENT,  # librdkafka's own word for the same
)
# librdkafka goes on by itself after these, though it does not call them retriable. A topic that is gone is not one.
MENDED_BY_ITSELF = (
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
# Of a batch and of a record in it, without key, value and headers: an upper bound.
FRAMING_BYTES = 96
LOOK_EVERY_S = 5.0  # at where the brokers say that they are, when something did not answer
CONNECT_MAX_S = 2.0


def gone_for_good(error: KafkaError) -> GoneForGood | None:
    """What the user is told of what asking again does not mend; None for what may pass."""
    told = error.str()
    if error.code() in FORBIDDEN:
        return GoneForGood(
            f"Kafka forbids its user what is needed ({told}); give it the right to what begins so (ACLs)"
        )
    if error.code() == KafkaError._SSL and "certificate" in told:
        return GoneForGood(f"Kafka cannot be spoken to over TLS ({told}); see to the certificates")
    if error.code() == KafkaError._AUTHENTICATION and "SASL authentication error" in told:
        return GoneForGood(f"Kafka does not let its user in ({told}); see to --kafka-properties")
    return None


def plainly(problem: BaseException) -> BaseException:
    """The same, or what the user is told of it."""
    return (gone_for_good(problem.args[0]) if isinstance(problem, KafkaException) else None) or problem


def create_topic(
    services: Services, topic: str, partitions: int, topology: Topology, settings: Mapping[str, str] = PLAIN
) -> None:
    """Create a topic, replicated as the topology says, with settings of its own. Idempotent.

    Raises KafkaException when the cluster refuses, and GoneForGood when asking again would not help.
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
        _reached(admin, created, services, problems)
    except KafkaException as refused:
        if (for_good := gone_for_good(refused.args[0])) is not None:
            raise for_good from refused
        if refused.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
            raise
    ends_of(services, topic, range(partitions))  # so that whoever meets the topic finds its leaders


def _reached(admin: AdminClient, asked: ThreadFuture[None], services: Services, problems: list[KafkaError]) -> None:
    """The answer; raises GoneForGood where the brokers name an address at which nobody answers."""
    deadline, looked_s = time.monotonic() + 2 * METADATA_TIMEOUT_S, time.monotonic()
    while not asked.done() and time.monotonic() < deadline:
        admin.poll(POLL_S)
        for problem in problems:
            if (for_good := gone_for_good(problem)) is not None:
                raise for_good
        if problems and time.monotonic() - looked_s > LOOK_EVERY_S:
            if (nobody := _nobody_at(services)) is not None:
                raise GoneForGood(
                    f"Kafka answered at {services.kafka_bootstrap}, but a broker of it cannot be reached where it says "
                    f"that it is ({nobody}); let it advertise an address that is reached from here "
                    "(advertised.listeners)"
                )
            looked_s = time.monotonic()
    asked.result(timeout=0)


def _nobody_at(services: Services) -> str | None:
    """An address that Kafka gives for one of its brokers and that takes no connection, with why; None: no such one.

    That something did not answer may have another reason: a bootstrap address out of use, or a moment's trouble.
    """
    try:
        # Of a new client: one that has learnt of brokers may ask those, which it cannot reach, and no more at the
        # address where it began.
        brokers = admin_client(services).list_topics(timeout=LOOK_EVERY_S).brokers.values()
    except KafkaException:
        return None  # nobody has answered, so none has said where it is
    for broker in brokers:
        try:
            socket.create_connection((broker.host, broker.port), CONNECT_MAX_S).close()
        except OSError as problem:
            return f"{broker.host}:{broker.port}: {problem}"
    return None


def replication(topology: Topology) -> tuple[int, int]:
    """(replicas of each partition, how many of them must be in sync for a write to be taken)."""
    replicas = min(int(topology.options.get("replicas", REPLICAS_MAX)), topology.brokers)
    return replicas, max(1, replicas - 1)


def client_settings(services: Services) -> ClientSettings:
    """What any client needs to reach the brokers, and where its notices go: librdkafka's own place is the terminal."""
    assert services.kafka_bootstrap is not None, "only an architecture that requires Kafka may ask for it"
    log = logging.getLogger("librdkafka")
    return {**services.kafka_settings, "bootstrap.servers": services.kafka_bootstrap, "logger": log}


def admin_client(services: Services, on_problem: Callable[[KafkaError], None] | None = None) -> AdminClient:
    settings: dict[str, Any] = client_settings(services)  # its type forgets the logger, which it does take
    if on_problem is not None:
        settings["error_cb"] = on_problem
    return AdminClient(settings)


def partition_count(topology: Topology) -> int:
    """As many as the user asked for, else one per gateway."""
    return topology.gateways if topology.partitions is None else topology.partitions


def check_kafka_options(topology: Topology) -> None:
    """Raise BadTopology for the first of KAFKA_OPTIONS that cannot be."""
    acks_of(topology)
    replicas = topology.options.get("replicas", REPLICAS_MAX)
    if replicas not in range(1, REPLICAS_MAX + 1):
        raise BadTopology(f"--arch-set replicas is {replicas}, but it must be 1, 2 or {REPLICAS_MAX}")


def acks_of(topology: Topology) -> str:
    """The option `acks`; raises BadTopology for a value that Kafka does not know."""
    acks = topology.options.get("acks", KAFKA_OPTIONS["acks"])
    if acks not in ACKS:
        raise BadTopology(f"--arch-set acks is {acks!r}, but it must be one of {', '.join(ACKS)}")
    return str(acks)


def ack_settings(acks: str) -> dict[str, str | bool]:
    """What the option `acks` means for a producer. Only with every replica's word can it be idempotent."""
    return {"acks": acks, "enable.idempotence": acks == "all"}


class AckedProducer:
    """A producer whose `send` gives a future that resolves when Kafka has acked every copy. `to` makes one."""

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
                # A broker refuses a batch that is too large as a whole.
                "batch.size": message_max_bytes,
                # Only for records whose partition is left open: keyed by room, they would all land in one.
                "partitioner": "random",
                **ack_settings(acks),
            }
        )
        self._settled: list[tuple[_Copies, KafkaError | None]] = []  # touched by the polling thread only
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
        """`failed` is told when the topic is deleted, or Kafka does not let us write there any more."""
        new_admin = partial(admin_client, services)
        limit = min(await message_max_bytes(new_admin, topic) or MESSAGE_MAX_BYTES, MESSAGE_MAX_BYTES)
        watch = TopicWatch(new_admin, topic, failed)
        return cls(services, client_id, acks, watch=watch, failed=failed, message_max_bytes=limit)

    def send(
        self, topic: str, partitions: Sequence[int] | None, key: bytes, value: bytes, message_id: bytes | None
    ) -> asyncio.Future[None]:
        """Produce one record to each of the partitions, or, with None, one record to any partition.

        Raises Rejected at once when the producer's bounded queue is full, or Kafka would not take so large a message:
        it would refuse the small ones that go with it as well.
        """
        size_bytes = FRAMING_BYTES + len(key) + len(value) + len(message_id or b"")
        if size_bytes > self._message_max_bytes:
            raise Rejected(
                f"the message has {len(value):,} bytes, but Kafka takes {self._message_max_bytes:,} at most, "
                f"{FRAMING_BYTES} of them for itself (max.message.bytes)"
            )
        targets = (-1,) if partitions is None else partitions
        copies = _Copies(self._loop.create_future(), len(targets))
        headers: list[tuple[str, str | bytes | None]] | None = None if message_id is None else [("id", message_id)]
        # A copy's report arrives on the polling thread; the list is handed over in one call after each poll.
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
            copies.acked.cancel()  # copies that did get in are acked to nobody
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
        """On the polling thread. What is not for good, librdkafka mends itself."""
        if error.code() in UNREACHED:
            self._watch.note_trouble()
        if (for_good := gone_for_good(error)) is not None:
            self._loop.call_soon_threadsafe(self._failed, for_good)

    async def close(self, timeout_s: float = 5.0) -> None:
        """Wait until all that was accepted for sending is acked or has failed, at most `timeout_s`."""
        await self._watch.close()
        await asyncio.to_thread(self._close, timeout_s)

    def _close(self, timeout_s: float) -> None:
        self._closing.set()
        self._thread.join()
        self._producer.flush(timeout_s)
        self._hand_over()


class _Copies:
    """The copies of one message that are not acked yet."""

    __slots__ = ("acked", "missing")

    def __init__(self, acked: asyncio.Future[None], missing: int) -> None:
        self.acked = acked
        self.missing = missing


def _settle(batch: Sequence[tuple[_Copies, KafkaError | None]]) -> None:
    for copies, error in batch:
        if copies.acked.done():  # already refused by another copy, or its sender is gone
            continue
        copies.missing -= 1
        if error is not None:
            copies.acked.set_exception(Rejected(f"Kafka did not accept the message: {error.str()}"))
        elif copies.missing == 0:
            copies.acked.set_result(None)


class BatchReader:
    """A thread that polls a consumer and hands whole batches of records to the event loop.

    At most HANDED_BATCHES_MAX batches wait for the loop; then the thread stops polling, and what is behind it
    waits in librdkafka's bounded queue and on the broker.
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
        self._room_for_batches = threading.Semaphore(HANDED_BATCHES_MAX)
        self._changes: SimpleQueue[tuple[Callable[[Consumer], None], asyncio.Future[None]]] = SimpleQueue()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._read, name="kafka-reader", daemon=True)
        self._thread.start()

    def _read(self) -> None:
        try:
            while not self._closing.is_set():
                self._make_changes()
                records = poll_batch(self._consumer)
                while records and not self._closing.is_set():
                    if self._room_for_batches.acquire(timeout=POLL_S):
                        self._loop.call_soon_threadsafe(self._hand, records)
                        break
        except BaseException as problem:  # noqa: BLE001 - whatever ended the thread must end the gateway too
            self._loop.call_soon_threadsafe(self._failed, plainly(problem))

    async def between_polls(self, change: Callable[[Consumer], None]) -> None:
        """Let the reading thread call `change`: a consumer that one thread polls keeps every other one waiting."""
        made: asyncio.Future[None] = self._loop.create_future()
        self._changes.put((change, made))
        await made

    def _make_changes(self) -> None:
        while not self._changes.empty():
            change, made = self._changes.get()
            change(self._consumer)
            self._loop.call_soon_threadsafe(_set_done, made)

    def _hand(self, records: Sequence[Message]) -> None:
        self._room_for_batches.release()
        self._on_records(records)

    async def close(self) -> None:
        """Stop reading and leave the group, if any."""
        await asyncio.to_thread(self._close)

    def _close(self) -> None:
        self._closing.set()
        self._thread.join()
        self._consumer.close()


def _set_done(future: asyncio.Future[None]) -> None:
    if not future.done():  # whoever waited has given up
        future.set_result(None)


def poll_batch(consumer: Consumer) -> list[Message]:
    """What is there to read, after waiting for it at most POLL_S; raises KafkaException when nothing more will come."""
    first = consumer.poll(POLL_S)
    if first is None:
        return []
    # consume(n, timeout) would wait for n records or the whole timeout (issue 407 of the Python client): so wait for
    # one, then take what is there.
    return [record for record in (first, *consumer.consume(BATCH_MAX, 0)) if not _is_error(record)]


def _is_error(record: Message) -> bool:
    """True for an event that is no record; raises for one that librdkafka will not mend itself.

    KafkaException, or GoneForGood where the topic was deleted.
    """
    error = record.error()
    if error is None:
        return False
    if error.code() == KafkaError.UNKNOWN_TOPIC_OR_PART and (topic := record.topic()) is not None:
        raise deleted(topic)
    if error.fatal() or not (error.retriable() or error.code() in MENDED_BY_ITSELF):
        raise KafkaException(error)
    return True


def unread(read_up_to: dict[int, int], records: Sequence[Message]) -> list[Message]:
    """Those at or beyond where reading has come in each partition, which is moved on; none of other partitions.

    Offsets only grow, so a record that comes again, as it may when the leader of a partition changes, is told by its
    offset. A batch may also still hold records of a partition that was let go of: they are the next owner's.
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
    """The id that AckedProducer.send was given for this record."""
    headers = record.headers()
    assert isinstance(headers, list)
    message_id = headers[0][1]
    assert isinstance(message_id, bytes)
    return message_id


def delivery_of(record: Message) -> Delivery:
    """A record whose key is the room and whose value is the payload."""
    key, value = record.key(), record.value()
    assert isinstance(key, bytes)
    assert isinstance(value, bytes)
    return Delivery(key.decode(), value)


def place_of(record: Message) -> tuple[int, int]:
    """(partition, offset) of a record that was read."""
    partition, offset = record.partition(), record.offset()
    assert partition is not None
    assert offset is not None
    return partition, offset


def consumer_settings(services: Services, client_id: str, group: str) -> ClientSettings:
    """The settings all readers share; `fetch.wait.max.ms` only bounds an idle fetch, data returns at once."""
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
    """For members of a consumer group that share partitions: only those that must move do, and soon."""
    return {
        "partition.assignment.strategy": "cooperative-sticky",
        # A member learns of a rebalance at its next heartbeat: the group settles in one second, not ten.
        "heartbeat.interval.ms": 300,
        "session.timeout.ms": 6000,  # the least that a broker's own limits allow
    }


def ends_of(services: Services, topic: str, partitions: Sequence[int]) -> list[TopicPartition]:
    """Where the partitions end now. Blocks for a round trip, or until they have leaders; raises KafkaException.

    OFFSET_END would be resolved at the first fetch, some time after this returns, and miss what came between.
    """
    latest = OffsetSpec.latest()  # type: ignore[no-untyped-call]  # confluent-kafka's
    question = {TopicPartition(topic, partition): latest for partition in partitions}
    deadline = time.monotonic() + METADATA_TIMEOUT_S
    while True:
        admin = admin_client(services)  # a new one each time: who knows a leader's old epoch asks with it for ever
        try:
            asked = admin.list_offsets(question)
            answers = {place: answer.result(METADATA_TIMEOUT_S) for place, answer in asked.items()}
        except KafkaException as problem:
            error = problem.args[0]
            passing = error.code() in LEADERLESS or error.retriable()
            if not passing or time.monotonic() > deadline:
                raise
            time.sleep(0.02)
        else:
            return [TopicPartition(topic, place.partition, answer.offset) for place, answer in answers.items()]


def assign_from_now(consumer: Consumer, services: Services, topic: str, partitions: Sequence[int]) -> dict[int, int]:
    """Read exactly these partitions, from their ends as they are now, which are returned. Blocks for a round trip."""
    ends = ends_of(services, topic, partitions)
    consumer.assign(ends)
    return {end.partition: end.offset for end in ends}


def assign_from_start(consumer: Consumer, topic: str, partitions: Sequence[int]) -> None:
    """Read exactly these partitions, everything that is in them."""
    consumer.assign([TopicPartition(topic, partition, OFFSET_BEGINNING) for partition in partitions])
