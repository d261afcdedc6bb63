"""plan2: one record per message, in the partition of its room; the gateway that owns the partition serves the room.

    member -> any gateway -> "your room is served by gateway 1" -> gateway 1 -> partition of the room -> gateway 1
                                                                                        -> its members

A room's messages are all in one partition, and one gateway owns that partition, so each message is written once and
read once. The cost is that all members of a room must be on that gateway. The design note does not say how they find
it. Here, any gateway answers a join for a foreign room with a redirect, from a table that follows the consumer group
(see clients/kafka_ownership.py). Only members are redirected, never a message: who writes to a room is already on its
gateway. One huge room is one partition on one gateway, so more gateways do not help it.

While partitions move, a room is never split. The old owner refuses new messages, delivers everything that was acked,
redirects the room's members, and only then gives the partition to the new owner, which reads on from there.
"""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from typing import ClassVar

from confluent_kafka import Consumer, Message

from architectures.clients.kafka_admin import create_topic, ends_of
from architectures.clients.kafka_history import KafkaHistory
from architectures.clients.kafka_ownership import CLAIMS_SETTINGS, Ownership
from architectures.clients.kafka_partitions import partition_of
from architectures.clients.kafka_producer import AckedProducer
from architectures.clients.kafka_reader import BatchReader, delivery_of, payloads_of, unread
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
    Moving,
    Option,
    Promises,
    Rejected,
    Requirements,
    Role,
    Services,
    Topology,
)
from architectures.routes import Route, Scene, through_kafka


class Plan2(Architecture):
    name: ClassVar[str] = "plan2"
    summary: ClassVar[str] = "Kafka: one partition per room, served by the gateway that owns it; others redirect"
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
    options: ClassVar[Mapping[str, Option]] = KAFKA_OPTIONS
    role: ClassVar[Role] = Role.CANDIDATE
    colour: ClassVar[str] = "#009E73"
    rooms_have_owners: ClassVar[bool] = True

    @classmethod
    def route(cls, scene: Scene) -> Route:
        owner = scene.partition % scene.gateways if scene.owner is None else scene.owner
        return through_kafka(scene, owner, [scene.partition], [(scene.partition, owner)], (owner,))

    @classmethod
    def check(cls, topology: Topology) -> None:
        check_kafka_options(topology)
        if topology.partitions is not None and topology.partitions < topology.gateways:
            raise BadTopology(
                f"plan2 serves a room where its partition is, so {topology.partitions} partitions leave "
                f"{topology.gateways - topology.partitions} of {topology.gateways} gateways without rooms; "
                f"use --partitions {topology.gateways} or more"
            )

    @classmethod
    def provision(cls, services: Services, topology: Topology) -> None:
        cls.check(topology)
        create_topic(services, topology.topic("chat"), partition_count(topology), topology)
        create_topic(services, Ownership.claims_topic(topology), 1, topology, CLAIMS_SETTINGS)

    async def open(
        self,
        deliver: Callable[[Sequence[Delivery]], None],
        failed: Callable[[BaseException], None],
        moved: Callable[[Sequence[str]], None],
    ) -> None:
        self._deliver = deliver
        self._moved = moved
        self._topic = self.topology.topic("chat")
        self._partitions = partition_count(self.topology)
        self._rooms: dict[int, set[str]] = defaultdict(set)  # by partition: rooms with members here
        self._publishing: Counter[int] = Counter()  # by partition: messages that Kafka has not answered yet
        self._read_up_to: dict[int, int] = {}  # by owned partition: the next offset to deliver
        self._progress = asyncio.Event()  # set when a message was acked or delivered

        name = f"{self.topology.run_id}-gateway-{self.gateway}"
        consumer = Consumer(consumer_settings(self.services, name, group=name))
        self._reader = BatchReader(consumer, self._on_records, failed)
        self._producer = await AckedProducer.to(self.services, self._topic, name, failed, acks_of(self.topology))
        self._history = KafkaHistory(self.services, self._topic, name)
        self._ownership = Ownership(
            self.services, self.topology, self.gateway, take=self._take, let_go=self._let_go, failed=failed
        )
        await self._ownership.open(self._topic)

    def _partition_of(self, room: str) -> int:
        return partition_of(room, self._partitions)

    def owner(self, room: str) -> int | None:
        owner = self._ownership.owner(self._partition_of(room))
        if owner is None:
            raise Moving(f"{room!r} is moving between two gateways")
        return owner

    async def join(self, room: str) -> None:
        self._rooms[self._partition_of(room)].add(room)

    async def leave(self, room: str) -> None:
        self._rooms[self._partition_of(room)].discard(room)

    async def publish(self, room: str, payload: bytes) -> None:
        partition = self._partition_of(room)
        if self._ownership.owner(partition) != self.gateway:
            raise Rejected("the room is moving to another gateway; join it again")
        self._publishing[partition] += 1
        try:
            await self._producer.send(self._topic, (partition,), room.encode(), payload, None)
            self.mark(payload, "acked")
        finally:
            self._publishing[partition] -= 1
            self._progress.set()

    def _on_records(self, records: Sequence[Message]) -> None:
        self._deliver([delivery_of(record) for record in unread(self._read_up_to, records)])
        self._progress.set()

    async def history(self, room: str, after_s: float) -> Sequence[bytes]:
        partition = self._partition_of(room)
        if partition not in self._read_up_to:
            raise Rejected("the room is moving to another gateway; join it again")
        return payloads_of(await self._history.read(room, after_s, {partition: self._read_up_to[partition]}))

    # --- partitions are assigned and revoked

    async def _take(self, partitions: Sequence[int]) -> None:
        """Read these partitions from their current ends, since members join their rooms here only later."""
        starts = await asyncio.to_thread(ends_of, self.services, self._topic, partitions)
        self._read_up_to.update({place.partition: place.offset for place in starts})
        await self._reader.between_polls(lambda consumer: consumer.incremental_assign(starts))

    async def _let_go(self, partitions: Sequence[int]) -> None:
        """Deliver everything that was acked, then redirect the members. `publish` refuses these rooms meanwhile."""
        await self._until(lambda: not any(self._publishing[partition] for partition in partitions))
        ends = await asyncio.to_thread(ends_of, self.services, self._topic, partitions)
        await self._until(lambda: all(self._read_up_to[end.partition] >= end.offset for end in ends))
        await self._reader.between_polls(lambda consumer: consumer.incremental_unassign(ends))
        for partition in partitions:
            del self._read_up_to[partition]
            self._moved(sorted(self._rooms.pop(partition, ())))

    async def _until(self, reached: Callable[[], bool]) -> None:
        while not reached():
            self._progress.clear()
            await self._progress.wait()

    async def close(self) -> None:
        async with AsyncExitStack() as last_first:  # which closes all of them, also if one of them raises
            last_first.push_async_callback(self._history.close)
            last_first.push_async_callback(self._producer.close)
            last_first.push_async_callback(self._reader.close)
            last_first.push_async_callback(self._ownership.close)
