"""How gateways of a fleet reach each other for their roster: through the Kafka, Redis or NATS they share."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

from confluent_kafka import Consumer, Message

from architectures.interface import Refused, Services, Topology
from architectures.kafka_client import AckedProducer, BatchReader, assign_from_now, consumer_settings, create_topic
from architectures.nats_client import NatsConnection
from architectures.redis_client import Publisher, Subscriber
from harness.gateway.roster import LISTEN_S, Roster, word_of

ROSTER = "roster"
# A word is worth something for seconds.
KEPT = {"retention.ms": "60000", "segment.ms": "60000"}

Tell = Callable[[bytes], Awaitable[None]]


@contextlib.asynccontextmanager
async def shared_roster(services: Services, topology: Topology, url: str, shape: str) -> AsyncIterator[Roster]:
    """A roster of as many places as the topology has gateways. In Kafka where there is one, else in Redis or NATS.

    A word that could not be told is no failure: the next is told soon.
    """
    kept: list[Roster] = []

    async def tell(word: bytes) -> None:
        with contextlib.suppress(Refused):
            await carry(word)

    def hear(words: Sequence[bytes]) -> None:
        for roster in kept:
            for word in words:
                roster.hear(word)

    def failed(problem: BaseException) -> None:
        for roster in kept:
            roster.lose(f"the fleet's roster cannot be read any more: {problem}")

    ways = ((_by_kafka, services.kafka_bootstrap), (_by_redis, services.redis_url), (_by_nats, services.nats_url))
    # What needs no backend has one gateway, and no roster.
    way = next(way for way, backend in ways if backend is not None)
    async with way(services, topology, hear, failed) as carry:
        kept.append(Roster(topology.gateways, url, shape, tell))
        yield kept[0]


async def who_is_there(services: Services, topology: Topology) -> set[str]:
    """URLs of the gateways that are heard of in the roster of that fleet, which is in Kafka."""
    urls: set[str] = set()

    def hear(words: Sequence[bytes]) -> None:
        urls.update(word.url for told in words if (word := word_of(told)) is not None and word.kind == "here")

    async with _by_kafka(services, topology, hear, lambda _problem: None):
        await asyncio.sleep(LISTEN_S)
    return urls


@contextlib.asynccontextmanager
async def _by_kafka(
    services: Services,
    topology: Topology,
    hear: Callable[[Sequence[bytes]], None],
    failed: Callable[[BaseException], None],
) -> AsyncIterator[Tell]:
    topic = topology.topic(ROSTER)
    await asyncio.to_thread(create_topic, services, topic, 1, topology, KEPT)
    name = topology.topic("roster-reader")  # a group that is never joined: each reads everything

    def on_records(records: Sequence[Message]) -> None:
        hear([value for record in records if isinstance(value := record.value(), bytes)])

    consumer = Consumer(consumer_settings(services, name, group=name))
    await asyncio.to_thread(assign_from_now, consumer, services, topic, [0])
    reader = BatchReader(consumer, on_records, failed)
    producer = AckedProducer(services, name)

    async def tell(word: bytes) -> None:
        await producer.send(topic, (0,), b"", word, None)

    try:
        yield tell
    finally:
        await producer.close()
        await reader.close()


@contextlib.asynccontextmanager
async def _by_redis(
    services: Services,
    topology: Topology,
    hear: Callable[[Sequence[bytes]], None],
    failed: Callable[[BaseException], None],
) -> AsyncIterator[Tell]:
    assert services.redis_url is not None
    channel = topology.topic(ROSTER)
    publisher = Publisher(services.redis_url, failed)
    subscriber = Subscriber(services.redis_url, lambda batch: hear([word for _channel, word in batch]), failed)
    await subscriber.open(channel)

    async def tell(word: bytes) -> None:
        await publisher.publish(channel, word)

    try:
        yield tell
    finally:
        await publisher.close()
        await subscriber.close()


@contextlib.asynccontextmanager
async def _by_nats(
    services: Services,
    topology: Topology,
    hear: Callable[[Sequence[bytes]], None],
    failed: Callable[[BaseException], None],
) -> AsyncIterator[Tell]:
    assert services.nats_url is not None
    subject = topology.topic(ROSTER)
    connection = NatsConnection(services.nats_url, subject, lambda batch: hear([word for _, word in batch]), failed)
    await connection.open()
    await connection.subscribe(subject)

    async def tell(word: bytes) -> None:
        await connection.publish(subject, word)

    try:
        yield tell
    finally:
        await connection.close()
