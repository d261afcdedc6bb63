"""Topics that change while they are in use, on a real broker: each error names its true cause."""

from __future__ import annotations

import asyncio
import dataclasses
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future

import pytest
from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient

from architectures.clients.kafka_admin import admin_client, await_created, create_topic
from architectures.clients.kafka_topics import TopicWatch
from architectures.interface import Architecture, GoneForGood, Rejected, Requirements, Services, Topology
from architectures.kafka_broadcast import KafkaBroadcast
from architectures.kafka_redis import KafkaRedis
from architectures.plan1 import Plan1
from architectures.plan2 import Plan2
from chatbench.testing.gateways import Gateways, topology_of
from harness.services.backends import Backends
from harness.services.kafka.cluster import Kafka
from harness.services.ports import free_ports
from tests.backends import kafka_client_threads, running_backends

GONE_TIMEOUT_S = 240.0


@pytest.fixture(scope="module")
def backends(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Backends]:
    requires = Requirements(kafka=True, redis=True)
    with running_backends(tmp_path_factory.mktemp("logs"), requires, proxied=True) as backends:
        yield backends


@pytest.fixture
def services(backends: Backends) -> Services:
    redis_url = backends.services_for(Requirements(redis=True)).redis_url
    return Services(kafka_bootstrap=kafka_of(backends).bootstrap, redis_url=redis_url)


def kafka_of(backends: Backends) -> Kafka:
    (backend,) = backends.of(Requirements(kafka=True))
    assert isinstance(backend.servers, Kafka)
    return backend.servers


@pytest.mark.parametrize("architecture", [Plan1, Plan2, KafkaBroadcast, KafkaRedis])
def test_a_topic_that_is_deleted_ends_every_gateway_with_its_name(
    architecture: type[Architecture], services: Services
) -> None:
    """And each of them leaves no client behind, whatever its end was."""

    async def scenario() -> None:
        topology = topology_of(architecture, 2)
        architecture.provision(services, topology)
        running = Gateways(architecture, services, topology)
        await running.open()
        member = await running.join("room", 0)
        await running.say(member, b"before")
        with admin_client(services) as admin:
            await asyncio.wrap_future(admin.delete_topics([topology.topic("chat")])[topology.topic("chat")])
        async with asyncio.timeout(GONE_TIMEOUT_S):
            while not all(gateway.problems for gateway in running.every):  # noqa: ASYNC110 - seen only by looking
                await asyncio.sleep(0.05)
        for gateway in running.every:
            (problem, *_others) = gateway.problems
            assert isinstance(problem, GoneForGood)
            assert f"the topic {topology.topic('chat')} was deleted from Kafka" in str(problem)
            gateway.problems.clear()
            async with asyncio.timeout(GONE_TIMEOUT_S):
                await asyncio.gather(gateway.architecture.close(), return_exceptions=True)

    before = kafka_client_threads()
    asyncio.run(scenario())
    assert kafka_client_threads() == before


def test_one_message_that_is_too_large_is_refused_alone_and_with_the_limit(services: Services) -> None:
    async def scenario() -> None:
        topology = dataclasses.replace(topology_of(KafkaBroadcast, 1), partitions=1)
        create_topic(services, topology.topic("chat"), 1, topology, {"max.message.bytes": "3000"})
        running = Gateways(KafkaBroadcast, services, topology)
        await running.open()
        member = await running.join("room")
        sizes = [100, 2500, 100, 5000, 2900, 100, *[1000] * 20]
        said = [bytes([65 + number]) * size for number, size in enumerate(sizes)]
        answers = await asyncio.gather(*(running.say(member, each) for each in said), return_exceptions=True)
        (refused,) = [number for number, answer in enumerate(answers) if answer is not None]
        assert sizes[refused] == 5000
        assert isinstance(answers[refused], Rejected)
        assert "5,000 bytes, but Kafka takes 3,000 at most" in str(answers[refused])
        await running.until(lambda: len(member.heard) >= len(said) - 1)
        assert member.heard == [each for each in said if len(each) != 5000]
        await running.close()

    asyncio.run(scenario())


def test_trouble_that_passes_is_waited_out_where_every_broker_is_where_it_says(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("architectures.clients.kafka_admin.LOOK_EVERY_S", 0.2)
    asked: Future[None] = Future()
    answer = threading.Timer(1.0, asked.set_result, [None])  # as slow as a busy machine
    answer.start()
    await_created(admin_client(services), asked, services, [KafkaError(KafkaError._TRANSPORT)])
    answer.join()


def test_where_nobody_ever_answered_no_broker_is_told_to_advertise_another_address(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("architectures.clients.kafka_admin.LOOK_EVERY_S", 0.2)
    monkeypatch.setattr("architectures.clients.kafka_admin.METADATA_TIMEOUT_S", 2.0)
    (nobody,) = free_ports(1)
    with pytest.raises(KafkaException):
        create_topic(Services(kafka_bootstrap=f"127.0.0.1:{nobody}"), "any", 1, Topology(run_id="no", gateways=1))


def test_brokers_that_cannot_be_reached_where_they_say_they_are_are_told_with_that_address(backends: Backends) -> None:
    (backend,) = backends.of(Requirements(kafka=True))
    assert backend.proxy is not None
    (broker,) = kafka_of(backends).brokers
    backend.proxy.child.kill()  # where this listener says that the broker is
    services = Services(kafka_bootstrap=f"127.0.0.1:{broker.proxied_port}")
    with pytest.raises(GoneForGood, match=rf"127.0.0.1:{broker.proxy_port}.*advertised.listeners"):
        create_topic(services, "anything", 1, Topology(run_id="far", gateways=1))


def test_nobody_looks_while_a_broker_cannot_be_reached(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("architectures.clients.kafka_topics.LOOK_EVERY_S", 0.001)
    monkeypatch.setattr("architectures.clients.kafka_topics.CALM_AFTER_S", 0.2)
    looked_s: list[float] = []
    looked = threading.Event()

    def new_admin() -> AdminClient:
        looked_s.append(time.monotonic())
        looked.set()
        raise KafkaException(KafkaError(KafkaError._TRANSPORT))

    async def scenario() -> float:
        watch = TopicWatch(new_admin, "any", lambda _problem: None)
        watch.note_trouble()
        noted_s = time.monotonic()
        await asyncio.to_thread(looked.wait, 10)
        await watch.close()
        return noted_s

    noted_s = asyncio.run(scenario())
    assert looked_s[0] - noted_s > 0.15
