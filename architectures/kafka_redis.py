"""kafka-redis: Kafka is the log, Redis the last hop.

    member -> gateway -> partition of the room -> the relay that owns it -> PUBLISH room -> every gateway subscribed
                         (here it is acked)                                                 -> its members

An ack means what it means with Kafka alone: the message is in the log of every in-sync replica. What Kafka is bad
at, finding the gateways that want a room, Redis does: a channel per room, subscribed to where the room has members.
So any gateway may serve any room, with one record a message.

Between the two stands a relay in every gateway. The relays are one consumer group, so each partition is relayed by
one of them, in order. A relay stores its position only after Redis has taken the batch; whoever takes over after a
crash resumes there and publishes some messages again. Each carries its offset, and a room's offsets only grow, so
a gateway recognises what it has heard already.

That Redis has taken a message does not mean that every gateway has it: when Redis dies, what it had not passed on dies
with it. So when it is back, the relays wait until all gateways listen again, and begin a little before the break.
"""

from __future__ import annotations

import asyncio
import contextlib
import struct
import threading
import time
from collections import defaultdict, deque
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any, ClassVar

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from architectures.interface import (
    Architecture,
    BadTopology,
    Delivery,
    Option,
    Promises,
    Refused,
    Requirements,
    Services,
    Topology,
)
from architectures.kafka_client import (
    KAFKA_OPTIONS,
    AckedProducer,
    acks_of,
    check_kafka_options,
    consumer_settings,
    create_topic,
    delivery_of,
    group_settings,
    partition_count,
    place_of,
    poll_batch,
)
from architectures.partitions import partition_of
from architectures.redis_client import Publisher, Subscriber

OFFSET = struct.Struct(">Q")  # before each payload on its way through Redis
COMMIT_EVERY_MS = 500
NOTHING_HEARD = -1
GROUP_TIMEOUT_S = 30.0
REDIS_AGAIN_S = 0.05
ALL_LISTEN_MAX_S = 5.0
BEFORE_THE_BREAK_S = 1.0  # longer than Redis keeps what it has been given and not passed on
PLACES_EVERY_S = 0.1
PLACES_MAX = 400  # of a partition: 40 s, more than a relay waits for Redis


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

    @classmethod
    def check(cls, topology: Topology) -> None:
        check_kafka_options(topology)
        if topology.dedup:
            raise BadTopology("kafka-redis always drops what a relay publishes twice; leave --dedup out")

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
        self._deliver = deliver
        self._topic = self.topology.topic("chat")
        self._partitions = partition_count(self.topology)
        self._prefix = self.topology.topic("room:")
        self._heard_up_to: dict[str, int] = {}  # by room with members here: the offset of its last message

        name = f"{self.topology.run_id}-gateway-{self.gateway}"
        self._everybody_listens = asyncio.Event()
        self._everybody_listens.set()
        self._resuming: asyncio.Task[None] | None = None
        self._closing = False
        self._producer = AckedProducer(self.services, name, acks_of(self.topology))
        self._publisher = Publisher(redis_url)
        self._subscriber = Subscriber(redis_url, self._on_messages, failed, self._redis_is_gone, self._redis_is_back)
        await self._subscriber.open(self.topology.topic(f"gateway:{self.gateway}"))
        relay = Consumer(
            {
                **consumer_settings(self.services, name, group=f"{self.topology.run_id}-relays"),
                **group_settings(),
                # What is committed is only what the relay has stored, after the hand-over; and when it leaves, too.
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
        """Returns when Redis has published all of them, in order; False if the relay must begin further back."""
        while not self._closing:
            if not self._everybody_listens.is_set():
                await self._everybody_listens.wait()
                return False
            published = []
            for record in records:
                room, payload = delivery_of(record)
                _partition, offset = place_of(record)
                published.append(self._publisher.publish(self._prefix + room, OFFSET.pack(offset) + payload))
            answers = await asyncio.gather(*published, return_exceptions=True)
            problems = [answer for answer in answers if answer is not None]
            if not problems:
                return True
            if not all(isinstance(problem, Refused) for problem in problems):
                raise problems[0]
            await asyncio.sleep(REDIS_AGAIN_S)
        return False

    def _redis_is_gone(self) -> None:
        self._everybody_listens.clear()
        if self._resuming is not None:  # it is gone for the second time
            self._resuming.cancel()

    def _redis_is_back(self, broke_s: float) -> None:
        self._resuming = asyncio.create_task(self._resume(broke_s))

    async def _resume(self, broke_s: float) -> None:
        """Nothing is published before all listen: who hears a later message takes an earlier one for a repetition."""
        channels = [self.topology.topic(f"gateway:{index}") for index in range(self.topology.gateways)]
        with contextlib.suppress(TimeoutError):  # a gateway that is dead will not listen again
            async with asyncio.timeout(ALL_LISTEN_MAX_S):
                while not await self._publisher.all_subscribed(channels):  # noqa: ASYNC110 - Redis tells only who asks
                    await asyncio.sleep(REDIS_AGAIN_S)
        self._relay.rewind(broke_s - BEFORE_THE_BREAK_S)
        self._everybody_listens.set()

    def _on_messages(self, messages: Sequence[tuple[str, bytes]]) -> None:
        new = []
        for channel, numbered in messages:
            room = channel[len(self._prefix) :]
            (offset,) = OFFSET.unpack_from(numbered)
            heard_up_to = self._heard_up_to.get(room)
            if heard_up_to is not None:  # else its last member has just left
                if offset <= heard_up_to:
                    continue
                self._heard_up_to[room] = offset
            new.append(Delivery(room, numbered[OFFSET.size :]))
        self._deliver(new)

    async def join(self, room: str) -> None:
        self._heard_up_to[room] = NOTHING_HEARD
        await self._subscriber.subscribe(self._prefix + room)

    async def leave(self, room: str) -> None:
        await self._subscriber.unsubscribe(self._prefix + room)
        del self._heard_up_to[room]

    def owner(self, room: str) -> int | None:
        return None

    async def close(self) -> None:
        await self._producer.close()
        self._closing = True
        self._everybody_listens.set()  # what waits for a Redis that is gone need not wait any more
        await self._relay.close()
        await self._publisher.close()
        await self._subscriber.close()


class Relay:
    """A thread that reads a batch, waits until it is handed over, stores its position, and only then reads on.

    What `hand_over` says was not handed over is read again, after a `rewind`.
    """

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
        self._rewind_to_s: float | None = None
        # By partition, at moments of time.monotonic(): the first offset that was not handed over yet.
        self._places: defaultdict[int, deque[tuple[float, TopicPartition]]]
        self._places = defaultdict(lambda: deque(maxlen=PLACES_MAX))
        self._thread = threading.Thread(target=self._run, name="kafka-relay", daemon=True)
        self._in_the_group = asyncio.Event()

    async def open(self, topic: str) -> None:
        """Join the group; returns when it has given this relay its share, which may be nothing."""
        self._consumer.subscribe([topic], on_assign=self._on_assign)
        self._thread.start()
        await asyncio.wait_for(self._in_the_group.wait(), GROUP_TIMEOUT_S)

    def _on_assign(self, consumer: Consumer, places: list[TopicPartition]) -> None:
        consumer.incremental_assign(places)
        self._loop.call_soon_threadsafe(self._in_the_group.set)

    def _run(self) -> None:
        try:
            while not self._closing.is_set():
                self._go_back()
                records = poll_batch(self._consumer)
                if records:
                    polled_s = time.monotonic()
                    self._note_places(records, polled_s)
                    if asyncio.run_coroutine_threadsafe(self._hand_over(records), self._loop).result():
                        self._store_position(records)
                    else:  # back to this batch at least, however long it waited
                        self._rewind_to_s = min(polled_s, self._rewind_to_s or polled_s)
        except BaseException as problem:  # noqa: BLE001 - whatever ended the thread must end the gateway too
            self._loop.call_soon_threadsafe(self._failed, problem)

    def rewind(self, moment_s: float) -> None:
        """Hand over again everything that was handed over since that moment of time.monotonic()."""
        self._rewind_to_s = moment_s

    def _note_places(self, records: Sequence[Message], now_s: float) -> None:
        for record in reversed(records):  # so that the first of each partition is noted last, and stands
            partition, offset = place_of(record)
            places = self._places[partition]
            if places and places[-1][0] == now_s:
                places.pop()
            elif places and now_s - places[-1][0] < PLACES_EVERY_S:
                continue
            places.append((now_s, TopicPartition(record.topic() or "", partition, offset)))

    def _go_back(self) -> None:
        moment_s, self._rewind_to_s = self._rewind_to_s, None
        if moment_s is None:
            return
        mine = {place.partition for place in self._consumer.assignment()}
        for partition, places in self._places.items():
            since = [place for noted_s, place in places if noted_s >= moment_s - PLACES_EVERY_S]
            if since and partition in mine:
                self._consumer.seek(since[0])

    def _store_position(self, records: Sequence[Message]) -> None:
        last = {record.partition(): record for record in records}
        for record in last.values():
            try:
                self._consumer.store_offsets(record)
            except KafkaException as problem:
                # The partition moved away while the batch was handed over: the next relay repeats it.
                if problem.args[0].code() != KafkaError._STATE:
                    raise

    async def close(self) -> None:
        """Stop after the batch in hand, commit, and leave the group."""
        await asyncio.to_thread(self._close)

    def _close(self) -> None:
        self._closing.set()
        self._thread.join()
        self._consumer.close()
