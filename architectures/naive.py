"""naive: one consumer group for all gateways, the mistake the design note begins with.

    member -> gateway -> any partition -> the one gateway of the group that owns it -> its members

Kafka splits the records of a topic among the members of a consumer group. Each message reaches one gateway, so each
user hears only 1/gateways of the chat. It does not promise to reach everyone; it shows that the ledger detects the
loss.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar

from confluent_kafka import Consumer, Message

from architectures.clients.kafka_admin import create_topic
from architectures.clients.kafka_producer import AckedProducer
from architectures.clients.kafka_reader import BatchReader, delivery_of
from architectures.clients.kafka_settings import (
    KAFKA_OPTIONS,
    acks_of,
    check_kafka_options,
    consumer_settings,
    group_settings,
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


class Naive(Architecture):
    name: ClassVar[str] = "naive"
    summary: ClassVar[str] = "negative control: one consumer group, so each gateway hears only fragments"
    requires: ClassVar[Requirements] = Requirements(kafka=True)
    promises: ClassVar[Promises] = Promises(everyone=False, once=True, ordered=False, durable_ack=True)
    options: ClassVar[Mapping[str, Option]] = KAFKA_OPTIONS
    role: ClassVar[Role] = Role.CONTROL
    colour: ClassVar[str] = "#E69F00"

    @classmethod
    def route(cls, scene: Scene) -> Route:
        # Kafka may append the record to any partition. This choice shows that the other gateways do not get it.
        lucky = scene.listening[0]
        return through_kafka(scene, scene.sender, [lucky], [(lucky, lucky)], scene.listening)

    @classmethod
    def check(cls, topology: Topology) -> None:
        check_kafka_options(topology)
        if topology.partitions is not None and topology.partitions < topology.gateways:
            raise BadTopology(
                f"naive needs at least a partition per gateway to show fragments on each, "
                f"not {topology.partitions} for {topology.gateways}; use --partitions {topology.gateways} or more"
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
        self._topic = self.topology.topic("chat")
        name = f"{self.topology.run_id}-gateway-{self.gateway}"
        group = f"{self.topology.run_id}-gateways"
        consumer = Consumer(
            {
                **consumer_settings(self.services, name, group),
                # A record that is delivered twice after a rebalance would hide a loss, so commit offsets regularly.
                "enable.auto.commit": True,
                **group_settings(),
            }
        )
        consumer.subscribe([self._topic])
        self._reader = BatchReader(consumer, self._on_records, failed)
        self._producer = await AckedProducer.to(self.services, self._topic, name, failed, acks_of(self.topology))

    async def publish(self, room: str, payload: bytes) -> None:
        await self._producer.send(self._topic, None, room.encode(), payload, None)

    def _on_records(self, records: Sequence[Message]) -> None:
        self._deliver([delivery_of(record) for record in records])

    async def join(self, room: str) -> None:
        """Do nothing: the records of this gateway's partitions come in any case."""

    async def leave(self, room: str) -> None:
        """Do nothing; see join."""

    def owner(self, room: str) -> int | None:
        return None

    async def close(self) -> None:
        await self._producer.close()
        await self._reader.close()
