"""Leases in Kafka: a topic that all read in one order, and by the broker's time.

Whoever wants a place, or wants to keep it, writes so. Every reader of the topic comes to the same table of holders:
the first claim of a place that nobody has is the one that counts, and a lease ends LEASE_S after its last record, by
the time at which the broker took the records that follow. A claim or a renewal has failed if it does not count in the
table of whoever wrote it, when that has read it back.
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

from architectures.clients.kafka import (
    METADATA_TIMEOUT_S,
    AckedProducer,
    BatchReader,
    assign_from_start,
    consumer_settings,
    create_topic,
    place_of,
)
from architectures.interface import GoneForGood, Rejected, Services, Topology
from harness.gateway.leases import LEASE_S, Holder, StoreAway

READ_BACK_MAX_S = 10.0
TOPIC_SETTINGS = {
    "message.timestamp.type": "LogAppendTime",
    # What is older than a lease is worth nothing; a segment is dropped as a whole.
    "retention.ms": "60000",
    "segment.ms": "60000",
}


class Word(msgspec.Struct, frozen=True):
    """One record of the topic."""

    kind: Literal["claim", "renewal", "release"]
    place: int
    number: int  # of this holder's words
    holder: Holder


class _Lease(msgspec.Struct):
    holder: Holder
    until_ms: int
    by_claim: bool  # nobody has renewed it yet


class LeaseTable:
    """Who has which place, as it follows from the records so far: the same for all who read them.

    A reader may begin in the middle, where a claim that failed looks as if it had not. Until every holder must have
    been heard of, a renewal, which is only written by whoever has seen its claim count, is believed against a claim.
    """

    def __init__(self, lease_s: float = LEASE_S) -> None:
        self._lease_ms = round(lease_s * 1000)
        self._leases: dict[int, _Lease] = {}
        self._knows_all_ms: int | None = None

    def read(self, word: Word, taken_ms: int) -> bool:
        """Returns whether that word counts: the place is that holder's from now on, or, by a release, nobody's."""
        if self._knows_all_ms is None:
            self._knows_all_ms = taken_ms + self._lease_ms
        lease = self._leases.get(word.place)
        if lease is not None and lease.until_ms <= taken_ms:
            lease = None
        is_own = lease is not None and lease.holder.token == word.holder.token
        if word.kind == "release":
            if is_own:
                del self._leases[word.place]
            return is_own
        may_be_unheard_of = word.kind == "renewal" and taken_ms < self._knows_all_ms
        counts = is_own or lease is None or (may_be_unheard_of and lease.by_claim)
        if counts:
            self._leases[word.place] = _Lease(word.holder, taken_ms + self._lease_ms, by_claim=word.kind == "claim")
        return counts

    def holders(self, now_ms: int) -> dict[int, Holder]:
        return {place: lease.holder for place, lease in self._leases.items() if lease.until_ms > now_ms}


class KafkaLeases:
    """`kafka_leases` makes one."""

    def __init__(self, write: Callable[[bytes], Awaitable[None]], lease_s: float) -> None:
        self._write = write
        self._table = LeaseTable(lease_s)
        self._numbers = itertools.count()
        self._waiting: dict[tuple[str, int], asyncio.Future[bool]] = {}
        self._taken_ms = 0  # by the broker, the last record that was read
        self._read_s = time.monotonic()  # and when that was
        self._failure: str | None = None
        self.read_up_to = 0

    def on_records(self, records: Sequence[Message]) -> None:
        for record in records:
            _kind, taken_ms = record.timestamp()
            self._taken_ms, self._read_s = max(taken_ms, self._taken_ms), time.monotonic()
            self.read_up_to = place_of(record)[1] + 1
            try:
                word = msgspec.json.decode(record.value() or b"", type=Word)
            except msgspec.DecodeError:
                continue  # others may write there too
            counts = self._table.read(word, self._taken_ms)
            answer = self._waiting.pop((word.holder.token, word.number), None)
            if answer is not None and not answer.done():
                answer.set_result(counts)

    def on_failure(self, problem: BaseException) -> None:
        self._failure = f"the topic of leases cannot be read any more: {problem}"

    async def acquire(self, place: int, holder: Holder) -> bool:
        return await self._said("claim", place, holder)

    async def renew(self, place: int, holder: Holder) -> bool:
        return await self._said("renewal", place, holder)

    async def release(self, place: int, holder: Holder) -> None:
        await self._said("release", place, holder)

    async def holders(self) -> Mapping[int, Holder]:
        if self._failure is not None:
            raise GoneForGood(self._failure)
        # The broker's time goes on, also while nobody writes.
        return self._table.holders(self._taken_ms + round((time.monotonic() - self._read_s) * 1000))

    async def _said(self, kind: Literal["claim", "renewal", "release"], place: int, holder: Holder) -> bool:
        if self._failure is not None:
            raise GoneForGood(self._failure)
        number = next(self._numbers)
        answer = self._waiting[holder.token, number] = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(READ_BACK_MAX_S):
                await self._write(msgspec.json.encode(Word(kind, place, number, holder)))
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
    """Leases in a topic of that name, all of which has been read. Raises KafkaException."""
    topic = topology.topic(suffix)
    await asyncio.to_thread(create_topic, services, topic, 1, topology, TOPIC_SETTINGS)
    name = topology.topic(f"{suffix}-reader")  # a group that is never joined: each reads everything

    async def write(word: bytes) -> None:
        await producer.send(topic, (0,), b"", word, None)

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
    """Where the topic's one partition begins and ends."""
    low, high = consumer.get_watermark_offsets(TopicPartition(topic, 0), timeout=METADATA_TIMEOUT_S)
    return low, high


async def _until_read(leases: KafkaLeases, end: int) -> None:
    deadline = time.monotonic() + READ_BACK_MAX_S
    while leases.read_up_to < end:
        if time.monotonic() > deadline:
            raise KafkaException(f"the topic of leases could not be read within {READ_BACK_MAX_S:g} s")
        await asyncio.sleep(0.01)
