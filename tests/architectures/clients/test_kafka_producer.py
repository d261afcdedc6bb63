"""The producer's end. tests/conformance tests the clients on a real Kafka."""

from __future__ import annotations

import asyncio
import sys
import time
from pathlib import Path
from typing import NoReturn

import pytest
from confluent_kafka import KafkaError, KafkaException

from architectures.clients.kafka_producer import AckedProducer
from architectures.clients.kafka_topics import TopicWatch
from architectures.interface import Services

NOBODY = Services(kafka_bootstrap="127.0.0.1:1")


@pytest.mark.skipif(sys.platform != "linux", reason="threads have names that others can read only on Linux")
def test_a_producer_that_was_closed_connects_no_more_also_to_brokers_that_never_answered() -> None:
    async def scenario() -> float:
        problems: list[BaseException] = []
        watch = TopicWatch(no_admin, "chat", problems.append)
        producer = AckedProducer(NOBODY, "any", "all", watch=watch, failed=problems.append, message_max_bytes=1000)
        acked = producer.send("chat", (0,), b"room", b"text", None)
        assert librdkafka_threads()
        began_s = time.monotonic()
        await producer.close(timeout_s=0.1)
        assert (acked.done(), problems) == (False, [])
        return time.monotonic() - began_s

    before = librdkafka_threads()
    assert asyncio.run(scenario()) < 10
    assert librdkafka_threads() == before


def no_admin() -> NoReturn:
    raise KafkaException(KafkaError(KafkaError._TRANSPORT))


def librdkafka_threads() -> list[str]:
    """The threads of clients that are open in this process."""
    names = [task.joinpath("comm").read_text().strip() for task in Path("/proc/self/task").iterdir()]
    return sorted(name for name in names if name.startswith("rdk:"))
