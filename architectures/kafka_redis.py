"""kafka-redis: Kafka is the log, and Redis is the last hop.

    member -> gateway -> partition of the room -> the relay that owns it -> PUBLISH room -> every gateway subscribed
                         (here it is acked)                                                 -> its members

An ack means the same as with Kafka alone: the message is in the log of every in-sync replica. Redis does what Kafka is
bad at, which is to find the gateways that need a room: there is a channel per room, and a gateway subscribes to it
while it has members of the room. So any gateway can serve any room, with one record per message.

Every gateway contains a relay between the two. All relays are one consumer group, so each partition is relayed by one
of them, in order. A relay stores its offset only after Redis has accepted the batch. After a crash, the next owner of
the partition resumes at that offset and publishes some messages again. Each message carries its offset, and the offsets
of a room only grow, so a gateway recognises the messages that it has already heard.

A message that Redis has accepted may not reach every gateway: if Redis dies, or closes the connection of a gateway that
reads too slowly, the messages that it had not passed on are lost. So the relays announce their offsets twice a second,
every gateway knows up to which offset it has heard each partition, and after a reconnect it reads what it missed from
Kafka (see kafka_missed.py).
"""

from __future__ import annotations

import asyncio
import struct
import threading
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any, ClassVar

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from architectures import routes
from architectures.clients.kafka_admin import create_topic
from architectures.clients.kafka_errors import for_user
from architectures.clients.kafka_missed import DeliveryTracker, KafkaLog, Relayed, RelayPosition
from architectures.clients.kafka_partitions import partition_of
from architectures.clients.kafka_producer import AckedProducer
from architectures.clients.kafka_reader import delivery_of, place_of, poll_batch
from architectures.clients.kafka_settings import (
    KAFKA_OPTIONS,
    acks_of,
    check_kafka_options,
    consumer_settings,
    group_settings,
    partition_count,
)
from architectures.clients.redis import Command, Link, Pipeline, Subscriber
from architectures.clients.redis_address import RedisAddress
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
from architectures.routes import Arrow, Route, Scene

OFFSET = struct.Struct(">Q")  # precedes each payload in Redis
POSITION = struct.Struct(">IQ")  # a partition, and the offset before which everything has been relayed
COMMIT_EVERY_MS = 500
GROUP_TIMEOUT_S = 30.0
REDIS_RETRY_S = 0.05
ANNOUNCE_EVERY_S = 0.5


class KafkaRedis(Architecture):
    name: ClassVar[str] = "kafka-redis"
    summary: ClassVar[str] = "Kafka as the log, relayed once per partition into a Redis channel per room"
    requires: ClassVar[Requirements] = Requirements(kafka=True, redis=True, redis_any_node=True)
    promises: ClassVar[Promises] = Promises(
        everyone=True,
        once=True,
        ordered=True,
        durable_ack=True,
        survives=(
            *("kill:gateway", "restart:gateway", "pause:gateway", "slow:members"),
            *("kill:broker", "restart:broker", "pause:broker", "cut:gateway-broker", "reset:gateway-broker"),
            *("restart:redis", "pause:redis", "cut:gateway-redis", "reset:gateway-redis"),
        ),
    )
    options: ClassVar[Mapping[str, Option]] = KAFKA_OPTIONS
    role: ClassVar[Role] = Role.CANDIDATE
    colour: ClassVar[str] = "#CC79A7"

    @classmethod
    def route(cls, scene: Scene) -> Route:
        relay = routes.Place(3, scene.partition % scene.gateways, f"relay {scene.partition % scene.gateways}")
        channel = routes.Place(4, scene.middle, f"channel {scene.room}")
        return Route(
            sent=[Arrow(routes.sender(scene), routes.gateway(scene.sender, 1))],
            records=[Arrow(routes.gateway(scene.sender, 1), routes.partition(scene.partition))],
            fetches=[Arrow(routes.partition(scene.partition), relay)],
            commands=[Arrow(relay, channel)],
            copies=[Arrow(channel, routes.gateway(number, 5)) for number in scene.listening],
            heard=[Arrow(routes.gateway(number, 5), routes.members(number, 6)) for number in scene.listening],
            idle=[
                *map(routes.partition, scene.every_partition),
                *(routes.Place(3, number, f"relay {number}") for number in scene.every_gateway),
                *(routes.gateway(number, 5) for number in scene.every_gateway),
            ],
        )

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
        redis_url = self.services.redis_url
        assert redis_url is not None
        self._topic = self.topology.topic("chat")
        self._partitions = partition_count(self.topology)
        self._prefix = self.topology.topic("room:")

        name = f"{self.topology.run_id}-gateway-{self.gateway}"
        self._closing = False
        self._published_up_to: dict[int, int] = {}  # by partition: the next offset, since the last announcement
        self._announced_s = 0.0
        self._producer = await AckedProducer.to(self.services, self._topic, name, failed, acks_of(self.topology))
        self._pipeline = Pipeline(Link(RedisAddress.parse(redis_url)))
        self._tracker = DeliveryTracker(KafkaLog(self.services, self._topic, name), self._partitions, deliver, failed)
        await self._tracker.open()
        self._subscriber = Subscriber(
            redis_url, self._on_messages, failed, self._tracker.connection_lost, self._tracker.catch_up
        )
        await self._subscriber.open(self.topology.topic(f"gateway:{self.gateway}"))
        self._positions_channel = self.topology.topic("relayed")
        await self._subscriber.subscribe(self._positions_channel)
        relay = Consumer(
            {
                **consumer_settings(self.services, name, group=f"{self.topology.run_id}-relays"),
                **group_settings(),
                # Commit only offsets that the relay has stored after the hand-over, regularly and when it leaves.
                "enable.auto.commit": True,
                "enable.auto.offset.store": False,
                "auto.commit.interval.ms": COMMIT_EVERY_MS,
            }
        )
        self._relay = Relay(relay, self._publish_batch, failed)
        await self._relay.open(self._topic)

    async def publish(self, room: str, payload: bytes) -> None:
        partition = partition_of(room, self._partitions)
        await self._producer.send(self._topic, (partition,), room.encode(), payload, None)

    async def _publish_batch(self, records: Sequence[Message]) -> bool:
        """Return True when Redis has published all records in order; False if this gateway closes before that."""
        commands: list[Command] = []
        for record in records:
            room, payload = delivery_of(record)
            self.mark(payload, "relayed")
            partition, offset = place_of(record)
            commands.append(("PUBLISH", self._prefix + room, OFFSET.pack(offset) + payload))
            self._published_up_to[partition] = offset + 1
        if time.monotonic() - self._announced_s > ANNOUNCE_EVERY_S:
            self._announced_s = time.monotonic()
            positions = b"".join(POSITION.pack(*position) for position in self._published_up_to.items())
            commands.append(("PUBLISH", self._positions_channel, positions))
            self._published_up_to.clear()
        while not self._closing:
            answers = await self._pipeline.execute(commands)
            refused = next((number for number, answer in enumerate(answers) if answer is not None), None)
            if refused is None:
                return True
            commands = commands[refused:]
            await asyncio.sleep(REDIS_RETRY_S)
        return False

    def _on_messages(self, messages: Sequence[tuple[str, bytes]]) -> None:
        start = len(self._prefix)
        relayed: list[Relayed | RelayPosition] = []
        for channel, payload in messages:
            if channel == self._positions_channel:
                relayed += [RelayPosition(*place) for place in POSITION.iter_unpack(payload)]
            else:
                (offset,) = OFFSET.unpack_from(payload)
                relayed.append(Relayed(channel[start:], offset, payload[OFFSET.size :]))
        self._tracker.take(relayed)

    async def join(self, room: str) -> None:
        await self._tracker.follow(room)
        await self._subscriber.subscribe(self._prefix + room)

    async def leave(self, room: str) -> None:
        await self._subscriber.unsubscribe(self._prefix + room)
        self._tracker.unfollow(room)

    def owner(self, room: str) -> int | None:
        return None

    async def close(self) -> None:
        await self._producer.close()
        self._closing = True  # stop waiting for a Redis that is away
        await self._relay.close()
        await self._pipeline.close()
        await self._subscriber.close()
        await self._tracker.close()


class Relay:
    """A thread that reads a batch, waits until it is handed over, stores its offsets, and then reads the next batch."""

    def __init__(
        self,
        consumer: Consumer,
        hand_over: Callable[[Sequence[Message]], Coroutine[Any, Any, bool]],
        failed: Callable[[BaseException], None],
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._consumer = consumer
        self._hand_over = hand_over
        self._failed = failed
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="kafka-relay", daemon=True)
        self._assigned = asyncio.Event()

    async def open(self, topic: str) -> None:
        """Join the group; returns when it has assigned this relay its partitions, which may be none."""
        self._consumer.subscribe([topic], on_assign=self._on_assign)
        self._thread.start()
        await asyncio.wait_for(self._assigned.wait(), GROUP_TIMEOUT_S)

    def _on_assign(self, consumer: Consumer, places: list[TopicPartition]) -> None:
        consumer.incremental_assign(places)
        self._loop.call_soon_threadsafe(self._assigned.set)

    def _run(self) -> None:
        try:
            while not self._closing.is_set():
                records = poll_batch(self._consumer)
                if records and asyncio.run_coroutine_threadsafe(self._hand_over(records), self._loop).result():
                    self._store_position(records)
        except BaseException as problem:  # noqa: BLE001 - a gateway must not go on without this thread
            self._loop.call_soon_threadsafe(self._failed, for_user(problem))

    def _store_position(self, records: Sequence[Message]) -> None:
        last = {record.partition(): record for record in records}
        for record in last.values():
            try:
                self._consumer.store_offsets(record)
            except KafkaException as problem:
                # The partition moved to another relay during the hand-over; that relay repeats the batch.
                if problem.args[0].code() != KafkaError._STATE:
                    raise

    async def close(self) -> None:
        """Stop after the current batch, commit, and leave the group."""
        await asyncio.to_thread(self._close)

    def _close(self) -> None:
        self._closing.set()
        self._thread.join()
        self._consumer.close()
