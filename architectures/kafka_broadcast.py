"""kafka-broadcast: one record per message, and one consumer group per gateway.

    member -> gateway -> partition of the room -> gateway 0 -> its members
                                               -> gateway 1 -> its members
                                               -> ...

The design note does not consider this design. A consumer group splits the records among its members (see naive.py), but
each *group* gets all of them. So with one group per gateway, members can connect to any gateway, as with plan1, and
each message is written once, as with plan2. The cost that remains is reading: every gateway reads every message,
whether or not it has members of the room.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar

from confluent_kafka import Consumer, Message

from architectures.clients.kafka_admin import create_topic
from architectures.clients.kafka_history import KafkaHistory
from architectures.clients.kafka_partitions import partition_of
from architectures.clients.kafka_producer import AckedProducer
from architectures.clients.kafka_reader import BatchReader, assign_from_now, delivery_of, payloads_of, unread
from architectures.clients.kafka_settings import (
    KAFKA_OPTIONS,
    acks_of,
    check_kafka_options,
    consumer_settings,
    partition_count,
)
from architectures.interface import (
    Architecture,
    Delivery,
    Option,
    Promises,
    Requirements,
    Role,
    Services,
    Topology,
)


class KafkaBroadcast(Architecture):
    name: ClassVar[str] = "kafka-broadcast"
    summary: ClassVar[str] = "Kafka: one record a message, one consumer group per gateway, so each reads everything"
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
    colour: ClassVar[str] = "#5254A3"

    @classmethod
    def check(cls, topology: Topology) -> None:
        check_kafka_options(topology)

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
        self._topic = self.topology.topic("chat")
        self._partitions = partition_count(self.topology)
        name = f"{self.topology.run_id}-gateway-{self.gateway}"
        # The only consumer of its group, so it assigns itself all partitions, without any rebalance.
        consumer = Consumer(consumer_settings(self.services, name, group=name))
        every_partition = range(self._partitions)
        self._read_up_to = await asyncio.to_thread(
            assign_from_now, consumer, self.services, self._topic, every_partition
        )
        self._reader = BatchReader(consumer, self._on_records, failed)
        self._producer = await AckedProducer.to(self.services, self._topic, name, failed, acks_of(self.topology))
        self._history = KafkaHistory(self.services, self._topic, name)

    async def publish(self, room: str, payload: bytes) -> None:
        # All messages of a room are in one partition, which keeps their order.
        partition = partition_of(room, self._partitions)
        await self._producer.send(self._topic, (partition,), room.encode(), payload, None)
        self.mark(payload, "acked")

    def _on_records(self, records: Sequence[Message]) -> None:
        self._deliver([delivery_of(record) for record in unread(self._read_up_to, records)])

    async def history(self, room: str, after_s: float) -> Sequence[bytes]:
        partition = partition_of(room, self._partitions)
        return payloads_of(await self._history.read(room, after_s, {partition: self._read_up_to[partition]}))

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
