"""Delivers messages that are relayed from Kafka's log through Redis, and reads those that were missed from the log.

While the gateway is connected, it delivers relayed messages, and knows for each partition up to which offset it has
everything. After a broken connection, it subscribes again and then reads the log from that offset to its current end;
later messages are relayed. Until that read is done, relayed messages are held, so that the order of a room is kept.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from confluent_kafka import Consumer, KafkaException, Message, TopicPartition

from architectures.clients.kafka_admin import ends_of
from architectures.clients.kafka_partitions import partition_of
from architectures.clients.kafka_reader import delivery_of, place_of, poll_batch
from architectures.clients.kafka_settings import consumer_settings
from architectures.interface import Delivery, Services

HELD_MAX_BYTES = 16 << 20
AWAY_MAX_S = 30.0  # a Kafka that is away for longer counts as gone for good
RETRY_S = 0.2


class Relayed(NamedTuple):
    """A relayed message, with its offset in the partition of its room."""

    room: str
    offset: int
    payload: bytes


class RelayPosition(NamedTuple):
    """Everything in the partition before the offset `before` has been relayed."""

    partition: int
    before: int


class KafkaLog:
    """Reads parts of the log: `begin`, then `read` repeatedly, then `end`."""

    def __init__(self, services: Services, topic: str, client_id: str) -> None:
        self._services = services
        self._topic = topic
        self._settings = consumer_settings(services, f"{client_id}-missed", group=f"{client_id}-missed")
        self._consumer: Consumer | None = None  # made when messages were missed for the first time

    async def ends(self, partitions: Sequence[int]) -> dict[int, int]:
        """Return the current end offsets by partition; raises KafkaException."""
        ends = await asyncio.to_thread(ends_of, self._services, self._topic, partitions)
        return {end.partition: end.offset for end in ends}

    def begin(self, starts: Mapping[int, int]) -> None:
        """Start reading these partitions from these offsets."""
        if self._consumer is None:
            self._consumer = Consumer(self._settings)
        self._consumer.assign([TopicPartition(self._topic, partition, start) for partition, start in starts.items()])

    async def read(self) -> list[Message]:
        """Return the next records, which may be none; raises KafkaException."""
        assert self._consumer is not None
        return await asyncio.to_thread(poll_batch, self._consumer)

    def end(self) -> None:
        assert self._consumer is not None
        self._consumer.unassign()  # stop fetching new records

    async def close(self) -> None:
        if self._consumer is not None:
            await asyncio.to_thread(self._consumer.close)


class DeliveryTracker:
    """Delivers each message of the followed rooms once, in the order of its partition, whether relayed or missed."""

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
        self._heard_offsets: dict[str, int] = {}  # by room: the offset before its next delivery
        self._complete_before: dict[int, int] = {}  # by partition: nothing is missing before it
        self._connected = True
        self._breaks = 0
        self._held: list[Relayed] = []
        self._held_bytes = 0
        self._catching_up: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Start at the current ends of the partitions; raises KafkaException."""
        self._complete_before = await self._log.ends(range(self._partitions))

    async def follow(self, room: str) -> None:
        """Expect the room's messages from now on. Call it before subscribing to the room."""
        partition = partition_of(room, self._partitions)
        before = self._complete_before[partition]
        if not self._connected:  # the new members do not expect the messages that this gateway missed
            with contextlib.suppress(KafkaException):  # on an error they may get some of these
                before = (await self._log.ends([partition]))[partition]
        self._heard_offsets[room] = before - 1

    def unfollow(self, room: str) -> None:
        del self._heard_offsets[room]

    def take(self, relayed: Sequence[Relayed | RelayPosition]) -> None:
        """Take messages and positions in the order in which they were relayed."""
        messages = [each for each in relayed if isinstance(each, Relayed)]
        if not self._connected:
            self._hold(messages)
            return
        self._deliver(self._not_heard_yet(messages))
        for each in relayed:
            if isinstance(each, RelayPosition):
                self._advance(each.partition, each.before)
            else:
                self._advance(partition_of(each.room, self._partitions), each.offset + 1)

    def _advance(self, partition: int, before: int) -> None:
        self._complete_before[partition] = max(before, self._complete_before[partition])

    def _not_heard_yet(self, messages: Sequence[Relayed]) -> list[Delivery]:
        deliveries = []
        for room, offset, payload in messages:
            last_offset = self._heard_offsets.get(room)
            if last_offset is not None:  # else the room's last member has just left
                if offset <= last_offset:  # it was relayed twice, or already read from the log
                    continue
                self._heard_offsets[room] = offset
            deliveries.append(Delivery(room, payload))
        return deliveries

    def _hold(self, messages: Sequence[Relayed]) -> None:
        self._held += messages
        self._held_bytes += sum(len(each.payload) for each in messages)
        if self._held_bytes > HELD_MAX_BYTES:  # read them from the log instead
            self._held.clear()

    # --- after a broken connection

    def connection_lost(self) -> None:
        """Note that messages may be missed from now on."""
        self._connected = False
        self._breaks += 1

    def catch_up(self) -> None:
        """Read the missed messages from the log. Call it when new messages are relayed here again."""
        self._catching_up = asyncio.create_task(self._catch_up(self._catching_up))

    async def _catch_up(self, earlier: asyncio.Task[None] | None) -> None:
        try:
            breaks = self._breaks
            if earlier is not None:
                await asyncio.wait([earlier])
            await self._read_missed()
            if breaks == self._breaks:  # else the connection broke again, and another task reads the rest
                self._connected = True
                self.take(self._held)
                self._held = []
        except Exception as problem:  # noqa: BLE001 - a gateway that misses messages must not go on
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
                await asyncio.sleep(RETRY_S)
                continue
            if self._held_bytes <= HELD_MAX_BYTES:  # else held messages were dropped, and must be read as well
                return

    async def _read_up_to(self, ends: Mapping[int, int]) -> None:
        own_partitions = {partition_of(room, self._partitions) for room in self._heard_offsets}
        for partition in ends.keys() - own_partitions:
            self._advance(partition, ends[partition])
        left = {
            partition: self._complete_before[partition]
            for partition in own_partitions
            if self._complete_before[partition] < ends[partition]
        }
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
                    raise TimeoutError(f"Kafka has not returned the missed messages within {AWAY_MAX_S:g} s")
                self._take_from_log(records, ends)
                left = {partition: 0 for partition in left if self._complete_before[partition] < ends[partition]}
        finally:
            self._log.end()

    def _take_from_log(self, records: Sequence[Message], ends: Mapping[int, int]) -> None:
        messages = []
        for record in records:
            partition, offset = place_of(record)
            if offset < ends.get(partition, -sys.maxsize):  # later ones are relayed
                room, payload = delivery_of(record)
                if room in self._heard_offsets:
                    messages.append(Relayed(room, offset, payload))
                self._advance(partition, offset + 1)
        self._deliver(self._not_heard_yet(messages))

    async def close(self) -> None:
        if self._catching_up is not None:
            self._catching_up.cancel()
            await asyncio.wait([self._catching_up])
        await self._log.close()
