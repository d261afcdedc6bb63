"""plan1: each message is written to every partition, and each gateway reads one partition.

    member -> gateway -> partition 0 -> gateway 0 -> its members
                      -> partition 1 -> gateway 1 -> its members
                      -> ...

A consumer group would split the records among the gateways (see naive.py). So the producer writes each message to
*every* partition, and gateway i reads exactly partition i. Members can connect to any gateway and hear everything. The
cost is n records for each message, whether or not a gateway has members of the room.

With more partitions than gateways, a gateway reads several partitions and gets each message several times. Its members
then get duplicates, unless the option `dedup` drops the extra copies.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import struct
from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar

from confluent_kafka import Consumer, Message

from architectures.clients.kafka_admin import create_topic
from architectures.clients.kafka_history import KafkaHistory
from architectures.clients.kafka_producer import AckedProducer
from architectures.clients.kafka_reader import (
    BatchReader,
    assign_from_now,
    delivery_of,
    message_id_of,
    payloads_of,
    unread,
)
from architectures.clients.kafka_settings import (
    KAFKA_OPTIONS,
    acks_of,
    check_kafka_options,
    consumer_settings,
    partition_count,
)
from architectures.interface import (
    Architecture,
    BadTopology,
    Delivery,
    Option,
    Promises,
    Requirements,
    Role,
    Services,
    Topology,
)
from architectures.routes import Route, Scene, through_kafka

MESSAGE_ID = struct.Struct(">8sQ")  # the producer of the message, and a running number


class Plan1(Architecture):
    name: ClassVar[str] = "plan1"
    summary: ClassVar[str] = "Kafka: each message to every partition, one partition per gateway"
    requires: ClassVar[Requirements] = Requirements(kafka=True)
    promises: ClassVar[Promises] = Promises(
        everyone=True,
        once=True,
        ordered=True,
        durable_ack=True,
        history=True,
        survives=(
            *("kill:gateway", "restart:gateway", "pause:gateway", "slow:members"),
            *("kill:broker", "restart:broker", "pause:broker", "cut:gateway-broker"),
            "reset:gateway-broker",
        ),
    )
    # `dedup` is 1 if a gateway drops the copies of a message that it reads from further partitions, else 0.
    options: ClassVar[Mapping[str, Option]] = {**KAFKA_OPTIONS, "dedup": 0}
    role: ClassVar[Role] = Role.CANDIDATE
    colour: ClassVar[str] = "#0072B2"
    baseline: ClassVar[bool] = True

    @classmethod
    def route(cls, scene: Scene) -> Route:
        own = [(p, g) for g in scene.every_gateway for p in scene.every_partition[g :: scene.gateways]]
        return through_kafka(scene, scene.sender, scene.every_partition, own, scene.listening)

    @classmethod
    def check(cls, topology: Topology) -> None:
        check_kafka_options(topology)
        if (dedup := topology.options.get("dedup", 0)) not in (0, 1):
            raise BadTopology(f"--arch-set dedup is {dedup}, but it must be 1 (copies are dropped) or 0")
        if topology.partitions is not None and topology.partitions < topology.gateways:
            raise BadTopology(
                f"plan1 needs a partition per gateway, but {topology.partitions} partitions leave "
                f"{topology.gateways - topology.partitions} of {topology.gateways} gateways without one; "
                f"use --partitions {topology.gateways} or more"
            )

    @classmethod
    def provision(cls, services: Services, topology: Topology) -> None:
        cls.check(topology)
        create_topic(services, topology.topic("chat"), partition_count(topology), topology)

    async def open(
        self,
        deliver: Callable[[Sequence[Delivery]], None],
        failed: Callable[[BaseException], None],
        moved: Callable[[Sequence[str]], None],
    ) -> None:
        self._deliver = deliver
        self._dedup = self.topology.options.get("dedup", 0) == 1
        self._topic = self.topology.topic("chat")
        self._every_partition = range(partition_count(self.topology))
        self._source = os.urandom(8)  # new at each start, so that a restarted gateway never repeats an id
        self._numbers = itertools.count(1)
        self._first_copies = FirstCopies()

        name = f"{self.topology.run_id}-gateway-{self.gateway}"
        own = self._every_partition[self.gateway :: self.topology.gateways]
        consumer = Consumer(consumer_settings(self.services, name, group=name))
        self._read_up_to = await asyncio.to_thread(assign_from_now, consumer, self.services, self._topic, own)
        self._reader = BatchReader(consumer, self._on_records, failed)
        self._producer = await AckedProducer.to(self.services, self._topic, name, failed, acks_of(self.topology))
        self._history = KafkaHistory(self.services, self._topic, name)

    async def publish(self, room: str, payload: bytes) -> None:
        message_id = MESSAGE_ID.pack(self._source, next(self._numbers)) if self._dedup else None
        await self._producer.send(self._topic, self._every_partition, room.encode(), payload, message_id)
        self.mark(payload, "all_partitions_acked")

    def _on_records(self, records: Sequence[Message]) -> None:
        records = unread(self._read_up_to, records)
        if self._dedup:
            records = [r for r in records if self._first_copies.is_first(*MESSAGE_ID.unpack(message_id_of(r)))]
        self._deliver([delivery_of(record) for record in records])

    async def history(self, room: str, after_s: float) -> Sequence[bytes]:
        if not self._dedup:  # every partition contains all messages, so one is enough
            partition, end = next(iter(self._read_up_to.items()))
            return payloads_of(await self._history.read(room, after_s, {partition: end}))
        # The first copy of each message was delivered, whichever partition it came from.
        copies = await self._history.read(room, after_s, self._read_up_to)
        first = {message_id_of(copy): copy for copy in reversed(copies)}
        return payloads_of(sorted(first.values(), key=lambda copy: (copy.timestamp()[1], message_id_of(copy))))

    async def join(self, room: str) -> None:
        """Do nothing: this gateway reads every message of every room."""

    async def leave(self, room: str) -> None:
        """Do nothing: the messages keep coming, and are wasted here."""

    def owner(self, room: str) -> int | None:
        return None

    async def close(self) -> None:
        await self._producer.close()
        await self._reader.close()
        await self._history.close()


class FirstCopies:
    """Distinguishes the first copy of a message from the copies that other partitions bring later.

    Each partition holds a source's messages in the order of their numbers (idempotent producer). So a copy is the first
    one exactly if its number is higher than all numbers heard from that source, and one integer per source is enough. A
    message that is missing in some partition may be dropped; it was not acked.
    """

    def __init__(self) -> None:
        self._heard_up_to: dict[bytes, int] = {}

    def is_first(self, source: bytes, number: int) -> bool:
        if number <= self._heard_up_to.get(source, 0):
            return False
        self._heard_up_to[source] = number
        return True
