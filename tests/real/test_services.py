"""The embedded brokers and Redis, as real processes."""

from __future__ import annotations

from pathlib import Path

import pytest
import redis
from confluent_kafka import Consumer, Producer, TopicPartition

from architectures.clients.kafka_admin import create_topic
from architectures.clients.kafka_reader import assign_from_now
from architectures.clients.kafka_settings import consumer_settings
from architectures.interface import Topology
from harness.core.errors import ServiceFailed
from harness.services.kafka import broker
from harness.services.kafka import cluster as kafka_service
from harness.services.kafka.cluster import Kafka
from harness.services.kafka.install import ensure_installation
from harness.services.kafka.metrics import read_counters
from harness.services.redis.server import start_redis


@pytest.fixture(scope="module")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Kafka:
    workdir = tmp_path_factory.mktemp("kafka")
    return Kafka.make(ensure_installation(lambda _what, _done, _total: None), 1, workdir, workdir)


@pytest.fixture(scope="module", autouse=True)
def running(kafka: Kafka) -> object:
    try:
        kafka.start()
        kafka.wait_ready()
        yield
    finally:
        kafka.stop()


def test_the_brokers_count_what_was_written(kafka: Kafka) -> None:
    topology = Topology(run_id="count", gateways=2)
    create_topic(kafka.services, topology.topic("chat"), 2, topology)
    create_topic(kafka.services, topology.topic("chat"), 2, topology)  # idempotent
    before = read_counters(kafka.brokers, topology.run_id)
    producer = Producer({"bootstrap.servers": kafka.bootstrap, "linger.ms": 0})
    for number in range(50):
        producer.produce(topology.topic("chat"), b"x" * 1000, partition=number % 2)
        producer.flush(10)
    counted = read_counters(kafka.brokers, topology.run_id).since(before).total
    assert (counted.records, counted.appends) == (50, 50)
    assert counted.produce_requests == 50
    assert counted.bytes_in == counted.disk_bytes
    assert 50 * 1000 < counted.disk_bytes < 50 * 1200
    assert read_counters(kafka.brokers, "another-run").total.records == 0


def test_reading_from_now_misses_nothing_that_comes_after(kafka: Kafka) -> None:
    topology = Topology(run_id="now", gateways=1)
    topic = topology.topic("chat")
    create_topic(kafka.services, topic, 1, topology)
    producer = Producer({"bootstrap.servers": kafka.bootstrap})
    producer.produce(topic, b"before", partition=0)
    producer.flush(10)
    consumer = Consumer(consumer_settings(kafka.services, "reader", "reader"))
    assign_from_now(consumer, kafka.services, topic, [0])
    producer.produce(topic, b"after", partition=0)
    producer.flush(10)
    record = consumer.poll(20)
    assert record is not None
    assert record.value() == b"after"
    assert consumer.position([TopicPartition(topic, 0)])[0].offset == 2
    consumer.close()


def test_a_port_in_use_is_told_in_one_sentence(kafka: Kafka, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    taken = kafka.brokers[0]
    ports = [taken.port, taken.controller_port, taken.metrics_port, taken.proxied_port, taken.proxy_port]
    monkeypatch.setattr(kafka_service, "free_ports", lambda _count: ports)
    second = Kafka.make(ensure_installation(lambda _what, _done, _total: None), 1, tmp_path, tmp_path)
    try:
        second.start()
        second.children[0].process.wait(60)
        with pytest.raises(ServiceFailed) as failed:
            second.check()
    finally:
        second.stop()
    assert "a port is in use" in str(failed.value)
    assert str(tmp_path / "kafka-1.log") in str(failed.value)


def test_a_jvm_that_does_not_come_up_is_told_in_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(broker, "JVM", ("-Xmx1k",))
    broken = Kafka.make(ensure_installation(lambda _what, _done, _total: None), 1, tmp_path, tmp_path)
    try:
        broken.start()
        with pytest.raises(ServiceFailed) as failed:
            broken.wait_ready()
    finally:
        broken.stop()
    assert "kafka broker 1 ended with exit code 1" in str(failed.value)
    assert "\n" not in str(failed.value)


def test_the_embedded_redis_answers_and_stops(tmp_path: Path) -> None:
    server = start_redis(tmp_path, tmp_path / "redis.log")
    try:
        client = redis.Redis.from_url(server.url)
        assert client.ping()
        heard = client.pubsub()  # type: ignore[no-untyped-call]  # redis-py's
        heard.subscribe("room")
        heard.get_message(timeout=5)
        client.publish("room", b"hello")
        message = heard.get_message(timeout=5)
        assert message is not None
        assert message["data"] == b"hello"
    finally:
        server.stop()
    with pytest.raises(redis.ConnectionError):
        client.ping()
    assert server.child.process.poll() is not None
