"""Reads the history of rooms from Kafka's log; requests that arrive during a read share the next one."""

from __future__ import annotations

import asyncio
import time
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from confluent_kafka import Consumer, KafkaException, Message, TopicPartition

from architectures.clients.kafka_admin import METADATA_TIMEOUT_S
from architectures.clients.kafka_reader import place_of, poll_batch
from architectures.clients.kafka_settings import consumer_settings
from architectures.interface import HISTORY_MAX, HISTORY_MAX_BYTES, Rejected, Services

READ_MAX_S = 10.0
READ_MAX_BYTES = 64 * 1024 * 1024  # of the records that are held for all requests of one read


class Abandoned(Exception):
    """All requests of a read were cancelled."""


@dataclass(slots=True)
class _HistoryRequest:
    room: bytes
    after_ms: int
    ends: Mapping[int, int]  # by partition: the offset after the last record to read
    answer: asyncio.Future[list[Message]]
    records: deque[Message] = field(default_factory=deque)
    records_bytes: int = 0
    is_too_large: bool = False

    def take(self, record: Message) -> None:
        """Add a record, which is later than the others, and drop the oldest ones beyond the limits."""
        self.records.append(record)
        self.records_bytes += _size_of(record)
        while len(self.records) > HISTORY_MAX or self.records_bytes - _size_of(self.records[0]) > HISTORY_MAX_BYTES:
            self.records_bytes -= _size_of(self.records.popleft())

    def give_up(self) -> None:
        self.records.clear()
        self.is_too_large = True


def _size_of(record: Message) -> int:
    return len(record.value() or b"")


class KafkaHistory:
    """Reads the records of a room from a moment to given offsets.

    A partition contains other rooms too, and all their records since that moment have to be read.
    """

    def __init__(self, services: Services, topic: str, client_id: str) -> None:
        self._topic = topic
        self._settings = consumer_settings(services, f"{client_id}-history", group=f"{client_id}-history")
        self._consumer: Consumer | None = None  # made at the first request
        self._waiting: list[_HistoryRequest] = []
        self._reading: asyncio.Task[None] | None = None

    async def read(self, room: str, after_s: float, ends: Mapping[int, int]) -> list[Message]:
        """Return the latest records of the room since `after_s`, up to `ends`, partition by partition.

        They are at most HISTORY_MAX. Raises Rejected if Kafka does not answer in time.
        """
        answer: asyncio.Future[list[Message]] = asyncio.get_running_loop().create_future()
        self._waiting.append(_HistoryRequest(room.encode(), max(0, round(after_s * 1000)), dict(ends), answer))
        if self._reading is None or self._reading.done():
            self._reading = asyncio.create_task(self._answer_all())
        return await answer

    async def _answer_all(self) -> None:
        while self._waiting:
            requests = [request for request in self._waiting if not request.answer.done()]
            self._waiting = []
            if not requests:  # all were cancelled
                return
            problem: Exception | None = None
            try:
                await asyncio.to_thread(self._read_all, requests)
            except Abandoned:
                continue
            except (KafkaException, TimeoutError) as failed:
                problem = Rejected(f"Kafka did not return the history: {failed}")
            except Exception as failed:  # noqa: BLE001 - a bug; the requests must not wait for ever
                problem = failed
            for request in requests:
                if request.answer.done():  # it was cancelled
                    continue
                if problem is not None:
                    request.answer.set_exception(problem)
                elif request.is_too_large:
                    request.answer.set_exception(Rejected("the requested histories exceed what this gateway may hold"))
                else:
                    request.answer.set_result(list(request.records))

    def _read_all(self, requests: Sequence[_HistoryRequest]) -> None:
        """Read each partition once, from the earliest moment to the latest end of all requests."""
        if self._consumer is None:
            self._consumer = Consumer(self._settings)
        by_room: defaultdict[bytes, list[_HistoryRequest]] = defaultdict(list)
        ends: dict[int, int] = {}
        for request in requests:
            by_room[request.room].append(request)
            for partition, end in request.ends.items():
                ends[partition] = max(end, ends.get(partition, 0))
        held_bytes, room_bytes = 0, Counter[bytes]()
        earliest_ms = min(request.after_ms for request in requests)

        def is_wanted() -> bool:
            return not all(request.answer.done() for request in requests)

        for record in self._records(earliest_ms, ends, is_wanted):
            room = record.key()
            assert isinstance(room, bytes)
            partition, offset = place_of(record)
            _kind, appended_ms = record.timestamp()
            for request in by_room.get(room, ()):
                if appended_ms >= request.after_ms and offset < request.ends.get(partition, 0):
                    request.take(record)
            if room in by_room:
                room_now_bytes = max(
                    request.records_bytes for request in by_room[room]
                )  # the requests share the records
                held_bytes += room_now_bytes - room_bytes[room]
                room_bytes[room] = room_now_bytes
                if held_bytes > READ_MAX_BYTES:
                    held_bytes -= room_bytes.pop(room)
                    for request in by_room.pop(room):
                        request.give_up()

    def _records(self, after_ms: int, ends: Mapping[int, int], is_wanted: Callable[[], bool]) -> Iterator[Message]:
        """Yield the records of these partitions from `after_ms` on, up to the offsets `ends`.

        Raises Abandoned, TimeoutError or KafkaException.
        """
        assert self._consumer is not None
        moments = [TopicPartition(self._topic, partition, after_ms) for partition in ends]
        starts = self._consumer.offsets_for_times(moments, timeout=METADATA_TIMEOUT_S)
        for start in starts:
            if start.error is not None:
                raise KafkaException(start.error)
        # A negative offset means that no record is that new.
        left = {start.partition: start for start in starts if 0 <= start.offset < ends[start.partition]}
        deadline = time.monotonic() + READ_MAX_S
        self._consumer.assign(list(left.values()))
        try:
            while left:
                if not is_wanted():
                    raise Abandoned
                if time.monotonic() > deadline:
                    raise TimeoutError(f"not within {READ_MAX_S:g} s")
                for record in poll_batch(self._consumer):
                    partition, offset = place_of(record)
                    if offset < ends[partition]:
                        yield record
                    if offset + 1 >= ends[partition]:
                        left.pop(partition, None)
        finally:
            self._consumer.unassign()  # stop fetching new records

    async def close(self) -> None:
        if self._reading is not None:
            await asyncio.wait([self._reading])
        if self._consumer is not None:
            await asyncio.to_thread(self._consumer.close)
