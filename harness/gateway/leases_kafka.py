"""Leases in Kafka: a topic with one partition, which every gateway reads in the same order, with the broker's time.

A gateway that wants to take or keep a place writes a record. All readers of the topic derive the same table of holders
from it: the first claim of a free place counts, and a lease expires LEASE_S after its last record, measured by the
broker's timestamps of the following records. Each gateway reads back what it has written: its claim or renewal has
failed if it does not count in its own table.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import Literal

import msgspec
from confluent_kafka import Consumer, KafkaException, Message, TopicPartition

from architectures.clients.kafka_admin import METADATA_TIMEOUT_S, create_topic
from architectures.clients.kafka_producer import AckedProducer
from architectures.clients.kafka_reader import BatchReader, assign_from_start, place_of
from architectures.clients.kafka_settings import consumer_settings
from architectures.interface import GoneForGood, Rejected, Services, Topology
from harness.gateway.leases import LEASE_S, Holder, StoreAway

READ_BACK_MAX_S = 10.0
TOPIC_SETTINGS = {
    "message.timestamp.type": "LogAppendTime",
    # Records older than a lease are not needed; Kafka deletes whole segments.
    "retention.ms": "60000",
    "segment.ms": "60000",
}


class LeaseRecord(msgspec.Struct, frozen=True):
    """One record of the topic."""

    kind: Literal["claim", "renewal", "release"]
    place: int
    number: int  # a running number of this holder's records
    holder: Holder


class _Lease(msgspec.Struct):
    holder: Holder
    until_ms: int  # by the broker's time
    by_claim: bool  # it has not been renewed yet


class LeaseTable:
    """The holder of each place, derived from the records so far; it is the same for all readers.

    A reader may begin in the middle of the topic, where a failed claim looks like a successful one. So during the first
    lease period, after which every holder must have written a record, a renewal overrides a claim: only a gateway whose
    claim has counted writes renewals.
    """

    def __init__(self, lease_s: float = LEASE_S) -> None:
        self._lease_ms = round(lease_s * 1000)
        self._leases: dict[int, _Lease] = {}
        self._complete_from_ms: int | None = None

    def read(self, record: LeaseRecord, appended_ms: int) -> bool:
        """Apply a record, appended at `appended_ms` by the broker's time; returns whether it counts.

        A claim or renewal that counts gives the place to its holder, and a release that counts frees it.
        """
        if self._complete_from_ms is None:
            self._complete_from_ms = appended_ms + self._lease_ms
        lease = self._leases.get(record.place)
        if lease is not None and lease.until_ms <= appended_ms:
            lease = None
        is_own = lease is not None and lease.holder.token == record.holder.token
        if record.kind == "release":
            if is_own:
                del self._leases[record.place]
            return is_own
        may_be_older_holder = record.kind == "renewal" and appended_ms < self._complete_from_ms
        counts = is_own or lease is None or (may_be_older_holder and lease.by_claim)
        if counts:
            until_ms = appended_ms + self._lease_ms
            self._leases[record.place] = _Lease(record.holder, until_ms, by_claim=record.kind == "claim")
        return counts

    def holders(self, now_ms: int) -> dict[int, Holder]:
        return {place: lease.holder for place, lease in self._leases.items() if lease.until_ms > now_ms}


class KafkaLeases:
    """A LeaseStore in a Kafka topic; `kafka_leases` makes one."""

    def __init__(self, write: Callable[[bytes], Awaitable[None]], lease_s: float) -> None:
        self._write = write
        self._table = LeaseTable(lease_s)
        self._numbers = itertools.count()
        self._waiting: dict[tuple[str, int], asyncio.Future[bool]] = {}
        self._appended_ms = 0  # the broker's timestamp of the last record that was read
        self._read_s = time.monotonic()  # when that record was read
        self._failure: str | None = None
        self.read_up_to = 0

    def on_records(self, records: Sequence[Message]) -> None:
        for record in records:
            _kind, appended_ms = record.timestamp()
            self._appended_ms, self._read_s = max(appended_ms, self._appended_ms), time.monotonic()
            self.read_up_to = place_of(record)[1] + 1
            try:
                lease_record = msgspec.json.decode(record.value() or b"", type=LeaseRecord)
            except msgspec.DecodeError:
                continue  # other programs may write to the topic too
            counts = self._table.read(lease_record, self._appended_ms)
            answer = self._waiting.pop((lease_record.holder.token, lease_record.number), None)
            if answer is not None and not answer.done():
                answer.set_result(counts)

    def on_failure(self, problem: BaseException) -> None:
        self._failure = f"the topic of leases cannot be read any more: {problem}"

    async def acquire(self, place: int, holder: Holder) -> bool:
        return await self._write_and_read_back("claim", place, holder)

    async def renew(self, place: int, holder: Holder) -> bool:
        return await self._write_and_read_back("renewal", place, holder)

    async def release(self, place: int, holder: Holder) -> None:
        await self._write_and_read_back("release", place, holder)

    async def holders(self) -> Mapping[int, Holder]:
        if self._failure is not None:
            raise GoneForGood(self._failure)
        # The broker's time goes on while no record is written, so add the time since the last one.
        return self._table.holders(self._appended_ms + round((time.monotonic() - self._read_s) * 1000))

    async def _write_and_read_back(
        self, kind: Literal["claim", "renewal", "release"], place: int, holder: Holder
    ) -> bool:
        if self._failure is not None:
            raise GoneForGood(self._failure)
        number = next(self._numbers)
        answer = self._waiting[holder.token, number] = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(READ_BACK_MAX_S):
                await self._write(msgspec.json.encode(LeaseRecord(kind, place, number, holder)))
                counts: bool = await answer
                return counts
        except (Rejected, TimeoutError) as problem:
            raise StoreAway(f"Kafka does not answer ({problem or 'what was written could not be read'})") from problem
        finally:
            self._waiting.pop((holder.token, number), None)


@contextlib.asynccontextmanager
async def kafka_leases(
    services: Services, topology: Topology, suffix: str, lease_s: float = LEASE_S
) -> AsyncIterator[KafkaLeases]:
    """Create the topic if need be, read all of it, and yield its leases. Raises KafkaException."""
    topic = topology.topic(suffix)
    await asyncio.to_thread(create_topic, services, topic, 1, topology, TOPIC_SETTINGS)
    name = topology.topic(f"{suffix}-reader")  # no reader joins this group, so each reads everything

    async def write(payload: bytes) -> None:
        await producer.send(topic, (0,), b"", payload, None)

    leases = KafkaLeases(write, lease_s)
    producer = await AckedProducer.to(services, topic, name, leases.on_failure)
    consumer = Consumer(consumer_settings(services, name, group=name))
    begin, end = await asyncio.to_thread(_bounds_of, consumer, topic)
    assign_from_start(consumer, topic, [0])
    reader = BatchReader(consumer, leases.on_records, leases.on_failure)
    try:
        if begin < end:
            await _until_read(leases, end)
        yield leases
    finally:
        await producer.close()
        await reader.close()


def _bounds_of(consumer: Consumer, topic: str) -> tuple[int, int]:
    """Return the first offset of the topic's only partition, and the offset after its last record."""
    low, high = consumer.get_watermark_offsets(TopicPartition(topic, 0), timeout=METADATA_TIMEOUT_S)
    return low, high


async def _until_read(leases: KafkaLeases, end: int) -> None:
    deadline = time.monotonic() + READ_BACK_MAX_S
    while leases.read_up_to < end:
        if time.monotonic() > deadline:
            raise KafkaException(f"the topic of leases could not be read within {READ_BACK_MAX_S:g} s")
        await asyncio.sleep(0.01)
