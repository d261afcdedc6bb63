"""The latency of a backend: a member that hears its own messages, against the bare client library.

    python -m benchmarks.backends
    python -m benchmarks.backends --rate 100 --seconds 5 --rounds 3
    python -m benchmarks.backends --settings

The bare round trip is what the library does by itself in one process: send a message and receive it in a callback.
The libraries are librdkafka, with the linger that chatbench uses and with none, and redis-py's asyncio client. They are
compared with the architecture alone, from its `publish` to its `deliver` in one process, and with the whole path of a
member that hears itself: a WebSocket to a gateway process and back, with two more processes to wake. All take turns
within one run, at an even rate.

With --settings it measures Kafka alone, with this project's own producer and reader, at several rates and values of
`linger.ms`.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import tempfile
import threading
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import click
import redis.asyncio
import uvloop
from confluent_kafka import Consumer, Message, Producer
from rich.console import Console
from rich.table import Table

from architectures.clients import kafka_producer
from architectures.clients.kafka_admin import create_topic
from architectures.clients.kafka_producer import AckedProducer
from architectures.clients.kafka_reader import BatchReader, assign_from_now, delivery_of
from architectures.clients.kafka_settings import client_settings, consumer_settings
from architectures.interface import Delivery, Requirements, Services, Topology
from benchmarks.one_room import ROOM, Audience, Job, cpu_s, mean
from harness.core.registry import load_architecture
from harness.services.backends import Backends
from harness.services.fleet import Fleet

BOTH = Requirements(kafka=True, redis=True)
TOPIC, CHANNEL = "bare", "bare"
SETTINGS_S = 5.0
Figures = dict[str, float]


@contextmanager
def kafka_and_redis() -> Iterator[Backends]:
    with tempfile.TemporaryDirectory() as logs:
        backends = Backends(BOTH, 1, Path(logs))
        try:
            backends.begin(lambda what, done, total: print(f"{what}: {done} of {total}"))
            backends.finish()
            yield backends
        finally:
            backends.stop()


# --- the paths


def through_gateway(arch: str, services: Services, job: Job) -> float:
    """Return the median latency in ms with one gateway, from the moment a message is due to its delivery."""
    topology = Topology(run_id=f"{arch}-{time.time_ns()}", gateways=1)
    architecture = load_architecture(arch)
    architecture.provision(services, topology)
    with tempfile.TemporaryDirectory() as logs:
        fleet = Fleet(arch, services, topology, Path(logs))
        fleet.start()
        try:
            fleet.wait_ready()
            with Audience(fleet.urls[0], 1) as audience:
                audience.say(Job(1, job.rate_per_s, 1))  # the first messages open connections, so they are not counted
                audience.latencies()
                audience.say(job)
                median_ms = audience.latencies().summary().p50
        finally:
            fleet.stop()
    assert median_ms is not None
    return median_ms


def alone(arch: str, services: Services, job: Job) -> float:
    """Return the median ms from `publish` to `deliver` of one architecture, in this process."""
    topology = Topology(run_id=f"{arch}-{time.time_ns()}", gateways=1)
    load_architecture(arch).provision(services, topology)
    taken_ms: list[float] = []

    def deliver(batch: Sequence[Delivery]) -> None:
        now_ns = time.time_ns()
        taken_ms.extend((now_ns - int(payload)) / 1e6 for _room, payload in batch)

    async def scenario() -> None:
        architecture = load_architecture(arch)(services, topology, 0)
        await architecture.open(deliver, _raise, lambda _rooms: None)
        await architecture.join(ROOM)
        publishing = set()
        start_s = time.monotonic()
        for number in range(round(job.rate_per_s * (job.seconds + 1))):
            await asyncio.sleep(max(0, start_s + number / job.rate_per_s - time.monotonic()))
            publishing.add(asyncio.create_task(architecture.publish(ROOM, b"%d" % time.time_ns())))
        await asyncio.gather(*publishing)
        await asyncio.sleep(0.2)
        await architecture.close()

    uvloop.run(scenario())
    return _median(taken_ms[round(job.rate_per_s) :])


def _raise(problem: BaseException) -> None:
    raise problem


def bare_kafka(linger_ms: float, services: Services, job: Job) -> float:
    """Return the median ms from produce to poll, in one process, with one thread each for producer and consumer."""
    create_topic(services, TOPIC, 1, Topology(run_id="bare", gateways=1))
    producer = Producer({**client_settings(services), "linger.ms": linger_ms, "acks": "all"})
    consumer = Consumer({**client_settings(services), "group.id": TOPIC, "fetch.wait.max.ms": 100})
    assign_from_now(consumer, services, TOPIC, [0])
    taken_ms: list[float] = []
    count = round(job.rate_per_s * (job.seconds + 1))

    def read() -> None:
        while len(taken_ms) < count:
            record = consumer.poll(1)
            value = None if record is None else record.value()
            if isinstance(value, bytes):
                taken_ms.append((time.time_ns() - int(value)) / 1e6)

    reading = threading.Thread(target=read)
    reading.start()
    start_s = time.monotonic()
    for number in range(count):
        time.sleep(max(0, start_s + number / job.rate_per_s - time.monotonic()))
        producer.produce(TOPIC, b"%d" % time.time_ns(), partition=0)
        producer.poll(0)
    reading.join()
    producer.flush(10)
    consumer.close()
    return _median(taken_ms[round(job.rate_per_s) :])


def bare_redis(services: Services, job: Job) -> float:
    """Return the median ms from publish to the message, on one event loop."""

    async def scenario() -> list[float]:
        assert services.redis_url is not None
        async with redis.asyncio.Redis.from_url(services.redis_url) as client, client.pubsub() as heard:
            await heard.subscribe(CHANNEL)
            taken_ms: list[float] = []

            async def read() -> None:
                async for message in heard.listen():
                    if message["type"] == "message":
                        taken_ms.append((time.time_ns() - int(message["data"])) / 1e6)

            reading = asyncio.create_task(read())
            start_s = time.monotonic()
            for number in range(round(job.rate_per_s * (job.seconds + 1))):
                await asyncio.sleep(max(0, start_s + number / job.rate_per_s - time.monotonic()))
                await client.publish(CHANNEL, b"%d" % time.time_ns())
            await asyncio.sleep(0.2)
            reading.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await reading
            return taken_ms

    return _median(uvloop.run(scenario())[round(job.rate_per_s) :])


def _median(figures: Sequence[float]) -> float:
    return sorted(figures)[len(figures) // 2]


# --- settings of Kafka


def kafka_figures(backends: Backends, linger_ms: float, rate_per_s: float) -> Figures:
    """Return latency and CPU time of this project's own producer and reader in one process, without a gateway.

    The keys are p50 and p99, in ms, and client_us and broker_us, CPU microseconds per message.
    """
    kafka_producer.LINGER_MS = linger_ms
    (kafka,) = backends.of(Requirements(kafka=True))
    services, broker = kafka.services, kafka.children[0].pid
    topic = f"settings-{time.time_ns()}"
    create_topic(services, topic, 1, Topology(run_id=topic, gateways=1))
    taken_ms: list[float] = []

    async def scenario() -> Figures:
        consumer = Consumer(consumer_settings(services, topic, topic))
        assign_from_now(consumer, services, topic, [0])
        reader = BatchReader(consumer, note, _raise)
        producer = await AckedProducer.to(services, topic, topic, _raise)
        await send(producer, 1.0)  # the first messages open connections, so they are not counted
        taken_ms.clear()
        own_s, broker_s = cpu_s(os.getpid()), cpu_s(broker)
        count = await send(producer, SETTINGS_S)
        own_s, broker_s = cpu_s(os.getpid()) - own_s, cpu_s(broker) - broker_s
        await producer.close()
        await reader.close()
        taken_ms.sort()
        return {
            "p50": _median(taken_ms),
            "p99": taken_ms[len(taken_ms) * 99 // 100],
            "client_us": 1e6 * own_s / count,
            "broker_us": 1e6 * broker_s / count,
        }

    async def send(producer: AckedProducer, seconds: float) -> int:
        sent: list[Awaitable[None]] = []
        start_s = time.monotonic()
        while (elapsed_s := time.monotonic() - start_s) < seconds:
            while len(sent) < elapsed_s * rate_per_s:
                due_ns = time.time_ns() - round((elapsed_s - len(sent) / rate_per_s) * 1e9)
                sent.append(producer.send(topic, (0,), b"room", b"%d" % due_ns, None))
            await asyncio.sleep(0.001)
        await asyncio.gather(*sent)
        return len(sent)

    def note(records: Sequence[Message]) -> None:
        now_ns = time.time_ns()
        taken_ms.extend((now_ns - int(delivery_of(record).payload)) / 1e6 for record in records)

    return uvloop.run(scenario())


# --- the command


@click.command()
@click.option("--rate", "rate_per_s", default=100.0, show_default=True, help="Messages per second from the one member.")
@click.option("--seconds", default=5.0, show_default=True)
@click.option("--rounds", default=3, show_default=True)
@click.option("--settings", is_flag=True, help="Compare values of linger.ms instead.")
def main(rate_per_s: float, seconds: float, rounds: int, settings: bool) -> None:
    """Print the median latency of each path, and its ratio to the bare library's."""
    with kafka_and_redis() as backends:
        if settings:
            table = compare_settings(backends)
        else:
            services = backends.services_for(BOTH)
            table = compare_paths(services, Job(1, rate_per_s, seconds), rounds)
    Console(width=110).print(table)


def compare_paths(services: Services, job: Job, rounds: int) -> Table:
    """Measure all paths in turn, and return the table of their medians."""
    paths: dict[str, Callable[[], float]] = {
        "Kafka, bare": lambda: bare_kafka(kafka_producer.LINGER_MS, services, job),
        "Kafka, bare without linger": lambda: bare_kafka(0, services, job),
        "Kafka, plan2 alone": lambda: alone("plan2", services, job),
        "Kafka, plan2 and WebSockets": lambda: through_gateway("plan2", services, job),
        "Redis, bare": lambda: bare_redis(services, job),
        "Redis, redis alone": lambda: alone("redis", services, job),
        "Redis, redis and WebSockets": lambda: through_gateway("redis", services, job),
    }
    medians_ms: dict[str, list[float]] = {name: [] for name in paths}
    for _ in range(rounds):
        for name, measure in paths.items():
            medians_ms[name].append(measure())
    table = Table(title=f"one member, {job.rate_per_s:g} messages/s, {rounds} rounds of {job.seconds:g} s")
    table.add_column("path")
    table.add_column("median, ms", justify="right")
    table.add_column("ratio to bare", justify="right")
    for name, figures in medians_ms.items():
        bare = mean(medians_ms[f"{name.partition(',')[0]}, bare"])
        table.add_row(name, f"{mean(figures):.2f}", f"{mean(figures) / bare:.2f}")
    return table


def compare_settings(backends: Backends) -> Table:
    """Measure Kafka with several rates and lingers, and return the table of the figures."""
    table = Table(title=f"Kafka, own producer and reader in one process, {SETTINGS_S:g} s each")
    for column in (
        "linger.ms",
        "messages/s",
        "p50, ms",
        "p99, ms",
        "client CPU us per message",
        "broker CPU us per message",
    ):
        table.add_column(column, justify="right")
    kafka_figures(backends, 0, 5_000)  # warms up the broker
    for rate_per_s in (100, 1_000, 10_000):
        for linger_ms in (0, 0.2, 1, 5):
            figures = kafka_figures(backends, linger_ms, rate_per_s)
            cells = (f"{figures['p50']:.2f}", f"{figures['p99']:.1f}")
            cpu = (f"{figures['client_us']:.0f}", f"{figures['broker_us']:.0f}")
            table.add_row(f"{linger_ms:g}", f"{rate_per_s:,}", *cells, *cpu)
        table.add_section()
    return table


if __name__ == "__main__":
    main()
