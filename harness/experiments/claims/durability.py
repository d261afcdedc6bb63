"""How many acked messages can still be read after the backend was restarted."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
import redis
from confluent_kafka import Consumer

from architectures.clients.kafka_admin import ends_of
from architectures.clients.kafka_reader import assign_from_start, poll_batch
from architectures.clients.kafka_settings import consumer_settings, partition_count
from architectures.interface import Architecture, Delivery, Services, Topology
from harness.core.errors import ServiceFailed, UsageError
from harness.core.outermost import run_child
from harness.core.registry import load_architecture
from harness.core.settings import new_run_id
from harness.services.backends import Backends
from harness.services.processes import reason_in, spawn

HISTORY = "history.json"
MESSAGES = 100
ROOM = "remembered"
OPEN_TIMEOUT_S = 30.0
SEND_TIMEOUT_S = 60.0
READ_TIMEOUT_POLLS = 100  # each waits up to a tenth of a second


class Readable(msgspec.Struct, frozen=True, kw_only=True):
    """How many messages of one architecture were acked, and how many of these could be read after the restart."""

    arch: str
    acked: int
    readable: int


def read_after_restart(architecture: type[Architecture], backends: Backends, logs: Path) -> Readable:
    """Send messages through one gateway, kill and restart the architecture's backends, and read the messages back."""
    services = backends.services_for(architecture.requires)
    topology = Topology(run_id=new_run_id(), gateways=1, options=architecture.options)
    architecture.provision(services, topology)
    messages = [f"{topology.run_id} {number}".encode() for number in range(MESSAGES)]
    _send_from_child(SenderInput(arch=architecture.name, services=services, topology=topology, messages=messages), logs)
    for backend in backends.of(architecture.requires):
        for child in backend.children:
            child.kill()
    backends.finish()
    stored = {
        *(_kafka_values(services, topology) if architecture.requires.kafka else ()),
        *(_redis_values(services, messages) if architecture.requires.redis else ()),
    }
    return Readable(arch=architecture.name, acked=len(messages), readable=len(stored.intersection(messages)))


class SenderInput(msgspec.Struct, frozen=True):
    """The input of the process that sends the messages."""

    arch: str
    services: Services
    topology: Topology
    messages: list[bytes]


def read_history(folder: Path) -> list[Readable]:
    """The results stored by a study, or an empty list. Raises UsageError for a file of another format."""
    file = folder / HISTORY
    try:
        return msgspec.json.decode(file.read_bytes(), type=list[Readable])
    except FileNotFoundError:
        return []
    except (OSError, msgspec.DecodeError) as problem:
        raise UsageError(f"{file} cannot be read ({problem}); move it away or repair it") from problem


def _send_from_child(given: SenderInput, logs: Path) -> None:
    """Send in a process of its own, so that no client is left that would reconnect while the backend is down."""
    child = spawn(
        f"sender of {given.arch}",
        [sys.executable, "-m", "harness.experiments.claims.durability"],
        logs / f"history-{given.arch}.log",
        stdin=msgspec.json.encode(given),
    )
    try:
        code = child.process.wait(SEND_TIMEOUT_S)
    except subprocess.TimeoutExpired as late:
        child.stop()
        raise ServiceFailed(f"{child.name} had not finished after {SEND_TIMEOUT_S:g} s; see {child.log}") from late
    if code != 0:
        raise child.failed(f"{child.name} failed: {reason_in(child.log)}; its log is {child.log}")


def main() -> None:
    given = msgspec.json.decode(sys.stdin.buffer.read(), type=SenderInput)
    architecture = load_architecture(given.arch)
    asyncio.run(_send(architecture(given.services, given.topology, 0), given.messages))


async def _send(gateway: Architecture, messages: Sequence[bytes]) -> None:
    """Send all messages. Raises if one is rejected, or if the backend fails."""
    failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    deliver: Callable[[Sequence[Delivery]], None] = lambda _batch: None  # noqa: E731 - deliveries do not matter here
    async with asyncio.timeout(OPEN_TIMEOUT_S):
        await gateway.open(deliver, failed.set_exception, lambda _rooms: None)
        await gateway.join(ROOM)
        await asyncio.gather(*(gateway.publish(ROOM, payload) for payload in messages))
        await gateway.close()
    if failed.done():
        failed.result()


def _kafka_values(services: Services, topology: Topology) -> set[bytes]:
    """Every value in the topic, from its beginning to its current end."""
    topic, partitions = topology.topic("chat"), range(partition_count(topology))
    missing = sum(end.offset for end in ends_of(services, topic, partitions))
    name = f"{topology.run_id}-newcomer"
    consumer = Consumer(consumer_settings(services, name, group=name))
    values: set[bytes] = set()
    try:
        assign_from_start(consumer, topic, partitions)
        for _ in range(READ_TIMEOUT_POLLS):
            records = poll_batch(consumer)
            values.update(value for record in records if isinstance(value := record.value(), bytes))
            missing -= len(records)
            if missing <= 0:
                break
    finally:
        consumer.close()
    return values


def _redis_values(services: Services, messages: Sequence[bytes]) -> set[bytes]:
    """The messages that any Redis key contains. Pub/sub channels are not keys and store nothing."""
    assert services.redis_url is not None
    with redis.Redis.from_url(services.redis_url) as client:
        held = [client.dump(key) or b"" for key in client.scan_iter()]
    return {payload for payload in messages if any(payload in each for each in held)}


if __name__ == "__main__":
    run_child(main)
