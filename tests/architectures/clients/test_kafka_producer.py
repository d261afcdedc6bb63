"""The producer's end. tests/conformance tests the clients on a real Kafka."""

from __future__ import annotations

import asyncio
import sys
import time
from typing import NoReturn

import pytest
from confluent_kafka import KafkaError, KafkaException

from architectures.clients.kafka_producer import AckedProducer
from architectures.clients.kafka_topics import TopicWatch
from architectures.interface import Rejected, Services
from tests.backends import kafka_client_threads

NOBODY = Services(kafka_bootstrap="127.0.0.1:1")


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux shows the threads of a process")
def test_a_producer_that_was_closed_connects_no_more_also_to_brokers_that_never_answered() -> None:
    async def scenario() -> float:
        problems: list[BaseException] = []
        watch = TopicWatch(no_admin, "chat", problems.append)
        producer = AckedProducer(NOBODY, "any", "all", watch=watch, failed=problems.append, message_max_bytes=1000)
        acked = producer.send("chat", (0,), b"room", b"text", None)
        assert kafka_client_threads()
        began_s = time.monotonic()
        await producer.close(timeout_s=0.1)
        took_s = time.monotonic() - began_s
        assert acked.done(), "what was given up has failed"
        with pytest.raises(Rejected, match="Kafka did not accept the message"):
            await acked
        assert problems == []
        return took_s

    before = kafka_client_threads()
    assert asyncio.run(scenario()) < 10
    assert kafka_client_threads() == before


def no_admin() -> NoReturn:
    raise KafkaException(KafkaError(KafkaError._TRANSPORT))
