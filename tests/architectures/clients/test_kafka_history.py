"""A room's history, read back from a real Kafka."""

from __future__ import annotations

import asyncio

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

from architectures.clients import kafka_history
from architectures.clients.kafka_admin import create_topic
from architectures.clients.kafka_history import KafkaHistory
from architectures.interface import HISTORY_MAX_BYTES, Rejected, Requirements, Services, Topology
from harness.services.backends import Backends

REQUIRES = Requirements(kafka=True)
TOPIC = "history"
LONG = 100_000


@pytest.fixture(scope="module")
def services(backends: Backends) -> Services:
    """A broker with a topic of two rooms: sixty long messages in each."""
    services = backends.services_for(Requirements(kafka=True))
    create_topic(services, TOPIC, 1, Topology(run_id="history", gateways=1), {})
    producer = Producer({"bootstrap.servers": services.kafka_bootstrap})
    for number in range(60):
        for room in (b"loud", b"louder"):
            producer.produce(TOPIC, key=room, value=(b"%03d" % number).ljust(LONG, b"."), partition=0)
        producer.flush()
    return services


async def numbers(history: KafkaHistory, room: str) -> list[int]:
    records = await history.read(room, 0.0, {0: 120})
    return [int((record.value() or b"")[:3]) for record in records]


def test_what_is_kept_of_a_room_is_the_latest_and_bounded_in_bytes(services: Services) -> None:
    async def scenario() -> list[int]:
        history = KafkaHistory(services, TOPIC, "bytes")
        try:
            return await numbers(history, "loud")
        finally:
            await history.close()

    found = asyncio.run(scenario())
    most = HISTORY_MAX_BYTES // LONG + 1  # a little more than the bound, so that one sees that something is left out
    assert found == list(range(60 - most, 60))


def test_rooms_for_which_there_is_no_memory_are_refused_and_the_others_answered(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kafka_history, "READ_MAX_BYTES", 30 * LONG)

    async def scenario() -> list[list[int] | BaseException]:
        history = KafkaHistory(services, TOPIC, "memory")
        try:
            asked = (numbers(history, "loud"), numbers(history, "louder"), numbers(history, "quiet"))
            return list(await asyncio.gather(*asked, return_exceptions=True))
        finally:
            await history.close()

    *loud, quiet = asyncio.run(scenario())
    assert quiet == []
    assert all(isinstance(each, Rejected) for each in loud)


def test_nothing_is_read_for_those_who_have_gone(services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    looked_up: list[list[TopicPartition]] = []

    class CountingConsumer(Consumer):
        def offsets_for_times(self, partitions: list[TopicPartition], timeout: float = -1) -> list[TopicPartition]:
            looked_up.append(partitions)
            return super().offsets_for_times(partitions, timeout)

    monkeypatch.setattr(kafka_history, "Consumer", CountingConsumer)

    async def scenario() -> list[int]:
        history = KafkaHistory(services, TOPIC, "gone")
        try:
            await numbers(history, "quiet")  # the consumer is there
            first = asyncio.create_task(numbers(history, "loud"))
            await asyncio.sleep(0)  # its look-up is under way: the others wait
            gone = [asyncio.create_task(numbers(history, "louder")) for _ in range(20)]
            await asyncio.sleep(0)
            for task in gone:
                task.cancel()
            await asyncio.gather(*gone, return_exceptions=True)
            assert len(await first) > 0
            return await numbers(history, "quiet")
        finally:
            await history.close()

    assert asyncio.run(scenario()) == []
    assert len(looked_up) == 3, "the first of each room that somebody waited for"
