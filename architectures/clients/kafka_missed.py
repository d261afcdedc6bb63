"""What a gateway has heard of Kafka's log by way of something that forgets, and how it reads what it missed.

While it is in touch it takes what is relayed to it, and knows of each partition up to where it has all it is owed. When
the connection broke, it reads on from there in Kafka itself, to where the log ends once it listens again: what is said
later comes to it as before. Until it has read that far, what comes is held back, so that a room's order is kept.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from confluent_kafka import Consumer, KafkaException, Message, TopicPartition

from architectures.clients.kafka import consumer_settings, delivery_of, ends_of, place_of, poll_batch
from architectures.clients.kafka_partitions import partition_of
from architectures.interface import Delivery, Services

HELD_MAX_BYTES = 16 << 20
AWAY_MAX_S = 30.0  # a Kafka that is away for longer is gone for good
AGAIN_S = 0.2


class Relayed(NamedTuple):
    """A message, and where it is in its room's partition."""

    room: str
    offset: int
    payload: bytes


class Place(NamedTuple):
    """Everything before that offset has been relayed."""

    partition: int
    before: int


class KafkaLog:
    """The log itself, for who has to read a piece of it."""

    def __init__(self, services: Services, topic: str, client_id: str) -> None:
        self._services = services
        self._topic = topic
        self._settings = consumer_settings(services, f"{client_id}-missed", group=f"{client_id}-missed")
        self._consumer: Consumer | None = None  # made by the first who missed something

    async def ends(self, partitions: Sequence[int]) -> dict[int, int]:
        """Raises KafkaException."""
        ends = await asyncio.to_thread(ends_of, self._services, self._topic, partitions)
        return {end.partition: end.offset for end in ends}

    def begin(self, starts: Mapping[int, int]) -> None:
        """`read` gives what is in these partitions from there on."""
        if self._consumer is None:
            self._consumer = Consumer(self._settings)
        self._consumer.assign([TopicPartition(self._topic, partition, start) for partition, start in starts.items()])

    async def read(self) -> list[Message]:
        """What there is next, perhaps nothing; raises KafkaException."""
        assert self._consumer is not None
        return await asyncio.to_thread(poll_batch, self._consumer)

    def end(self) -> None:
        assert self._consumer is not None
        self._consumer.unassign()  # else it would go on fetching what is said now

    async def close(self) -> None:
        if self._consumer is not None:
            await asyncio.to_thread(self._consumer.close)


class Heard:
    """Gives `deliver` each message of the rooms that are followed once, in the order of their partition."""

    def __init__(
        self,
        log: KafkaLog,
        partitions: int,
        deliver: Callable[[Sequence[Delivery]], None],
        failed: Callable[[BaseException], None],
    ) -> None:
        self._log = log
        self._partitions = partitions
        self._deliver = deliver
        self._failed = failed
        self._rooms: dict[str, int] = {}  # the offset of the last message each has heard, or is not owed
        self._before: dict[int, int] = {}  # by partition: nothing that is owed is missing before that offset
        self._in_touch = True
        self._breaks = 0
        self._held: list[Relayed] = []
        self._held_bytes = 0
        self._catching_up: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """What is in the log by now is nobody's here. Raises KafkaException."""
        self._before = await self._log.ends(range(self._partitions))

    async def follow(self, room: str) -> None:
        """Before anything of it is relayed here. Its members are owed what is said from now on."""
        partition = partition_of(room, self._partitions)
        before = self._before[partition]
        if not self._in_touch:  # what was missed is not what they missed
            with contextlib.suppress(KafkaException):  # then they may hear some of it
                before = (await self._log.ends([partition]))[partition]
        self._rooms[room] = before - 1

    def unfollow(self, room: str) -> None:
        del self._rooms[room]

    def take(self, relayed: Sequence[Relayed | Place]) -> None:
        """What was relayed here, in the order in which it was."""
        messages = [each for each in relayed if isinstance(each, Relayed)]
        if not self._in_touch:
            self._hold(messages)
            return
        self._deliver(self._new(messages))
        for each in relayed:
            if isinstance(each, Place):
                self._advance(each.partition, each.before)
            else:
                self._advance(partition_of(each.room, self._partitions), each.offset + 1)

    def _advance(self, partition: int, before: int) -> None:
        self._before[partition] = max(before, self._before[partition])

    def _new(self, messages: Sequence[Relayed]) -> list[Delivery]:
        new = []
        for room, offset, payload in messages:
            heard = self._rooms.get(room)
            if heard is not None:  # else its last member has just left
                if offset <= heard:  # it was relayed twice, or read from the log
                    continue
                self._rooms[room] = offset
            new.append(Delivery(room, payload))
        return new

    def _hold(self, messages: Sequence[Relayed]) -> None:
        self._held += messages
        self._held_bytes += sum(len(each.payload) for each in messages)
        if self._held_bytes > HELD_MAX_BYTES:  # all of it is in the log as well
            self._held.clear()

    # --- out of touch

    def lose_touch(self) -> None:
        """From now on something may be missing."""
        self._in_touch = False
        self._breaks += 1

    def catch_up(self) -> None:
        """What is said from now on will be relayed here; what was said until now is read from the log."""
        self._catching_up = asyncio.create_task(self._catch_up(self._catching_up))

    async def _catch_up(self, earlier: asyncio.Task[None] | None) -> None:
        try:
            breaks = self._breaks
            if earlier is not None:
                await asyncio.wait([earlier])
            await self._read_missed()
            if breaks == self._breaks:  # else there is more that is missing, and another is on its way to read it
                self._in_touch = True
                self.take(self._held)
                self._held = []
        except Exception as problem:  # noqa: BLE001 - a gateway that misses something must not go on as if not
            self._failed(problem)

    async def _read_missed(self) -> None:
        deadline_s = time.monotonic() + AWAY_MAX_S
        while True:
            self._held.clear()
            self._held_bytes = 0
            try:
                ends = await self._log.ends(range(self._partitions))
                await self._read_up_to(ends)
            except KafkaException:
                if time.monotonic() > deadline_s:
                    raise
                await asyncio.sleep(AGAIN_S)
                continue
            if self._held_bytes <= HELD_MAX_BYTES:  # else some of what came meanwhile was dropped
                return

    async def _read_up_to(self, ends: Mapping[int, int]) -> None:
        mine = {partition_of(room, self._partitions) for room in self._rooms}
        for partition in ends.keys() - mine:
            self._advance(partition, ends[partition])
        left = {partition: self._before[partition] for partition in mine if self._before[partition] < ends[partition]}
        if not left:
            return
        self._log.begin(left)
        heard_s = time.monotonic()
        try:
            while left:
                records = await self._log.read()
                if records:
                    heard_s = time.monotonic()
                elif time.monotonic() - heard_s > AWAY_MAX_S:
                    raise TimeoutError(f"Kafka has not told within {AWAY_MAX_S:g} s what was missed")
                self._take_from_log(records, ends)
                left = {partition: 0 for partition in left if self._before[partition] < ends[partition]}
        finally:
            self._log.end()

    def _take_from_log(self, records: Sequence[Message], ends: Mapping[int, int]) -> None:
        messages = []
        for record in records:
            partition, offset = place_of(record)
            if offset < ends.get(partition, -sys.maxsize):  # what is beyond is relayed
                room, payload = delivery_of(record)
                if room in self._rooms:
                    messages.append(Relayed(room, offset, payload))
                self._advance(partition, offset + 1)
        self._deliver(self._new(messages))

    async def close(self) -> None:
        if self._catching_up is not None:
            self._catching_up.cancel()
            await asyncio.wait([self._catching_up])
        await self._log.close()
