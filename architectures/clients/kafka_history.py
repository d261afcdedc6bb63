"""What was said before, read back from Kafka's log: one read serves everybody who asks while another is under way."""

from __future__ import annotations

import asyncio
import time
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from confluent_kafka import Consumer, KafkaException, Message, TopicPartition

from architectures.clients.kafka import METADATA_TIMEOUT_S, consumer_settings, place_of, poll_batch
from architectures.interface import HISTORY_MAX, HISTORY_MAX_BYTES, Rejected, Services

READ_MAX_S = 10.0
READ_MAX_BYTES = 64 * 1024 * 1024  # of records that are kept for all who ask meanwhile


class NobodyAsks(Exception):
    """Whoever asked has gone."""


@dataclass(slots=True)
class _Question:
    room: bytes
    after_ms: int
    ends: Mapping[int, int]  # by partition: the offset before which it ends
    answer: asyncio.Future[list[Message]]
    found: deque[Message] = field(default_factory=deque)
    found_bytes: int = 0
    is_too_much: bool = False

    def take(self, record: Message) -> None:
        """It is the latest so far, and what is too much beside it is forgotten."""
        self.found.append(record)
        self.found_bytes += _size_of(record)
        while len(self.found) > HISTORY_MAX or self.found_bytes - _size_of(self.found[0]) > HISTORY_MAX_BYTES:
            self.found_bytes -= _size_of(self.found.popleft())

    def give_up(self) -> None:
        self.found.clear()
        self.is_too_much = True


def _size_of(record: Message) -> int:
    return len(record.value() or b"")


class KafkaHistory:
    """Reads a room's records of some partitions of a topic, from a moment to an offset.

    A partition holds other rooms too, and all of it has to be read: that is what looking back costs in Kafka.
    """

    def __init__(self, services: Services, topic: str, client_id: str) -> None:
        self._topic = topic
        self._settings = consumer_settings(services, f"{client_id}-history", group=f"{client_id}-history")
        self._consumer: Consumer | None = None  # made by the first who asks
        self._waiting: list[_Question] = []
        self._reading: asyncio.Task[None] | None = None

    async def read(self, room: str, after_s: float, ends: Mapping[int, int]) -> list[Message]:
        """Partition by partition, at most HISTORY_MAX, the latest; raises Rejected if Kafka does not tell in time."""
        answer: asyncio.Future[list[Message]] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Question(room.encode(), max(0, round(after_s * 1000)), dict(ends), answer))
        if self._reading is None or self._reading.done():
            self._reading = asyncio.create_task(self._answer_all())
        return await answer

    async def _answer_all(self) -> None:
        while self._waiting:
            questions = [question for question in self._waiting if not question.answer.done()]
            self._waiting = []
            if not questions:  # whoever asked has gone
                return
            problem: Exception | None = None
            try:
                await asyncio.to_thread(self._look_up, questions)
            except NobodyAsks:
                continue
            except (KafkaException, TimeoutError) as failed:
                problem = Rejected(f"Kafka did not tell what was said before: {failed}")
            except Exception as failed:  # noqa: BLE001 - a fault of ours: whoever asks must not wait for ever
                problem = failed
            for question in questions:
                if question.answer.done():  # whoever asked has gone
                    continue
                if problem is not None:
                    question.answer.set_exception(problem)
                elif question.is_too_much:
                    question.answer.set_exception(Rejected("more is asked for at once than this gateway may hold"))
                else:
                    question.answer.set_result(list(question.found))

    def _look_up(self, questions: Sequence[_Question]) -> None:
        """Read each partition once, from the earliest moment to the latest end that anybody asks for."""
        if self._consumer is None:
            self._consumer = Consumer(self._settings)
        wanted: defaultdict[bytes, list[_Question]] = defaultdict(list)
        ends: dict[int, int] = {}
        for question in questions:
            wanted[question.room].append(question)
            for partition, end in question.ends.items():
                ends[partition] = max(end, ends.get(partition, 0))
        kept_bytes, room_bytes = 0, Counter[bytes]()
        earliest_ms = min(question.after_ms for question in questions)

        def still_asked() -> bool:
            return not all(question.answer.done() for question in questions)

        for record in self._records(earliest_ms, ends, still_asked):
            room = record.key()
            assert isinstance(room, bytes)
            partition, offset = place_of(record)
            _kind, said_ms = record.timestamp()
            for question in wanted.get(room, ()):
                if said_ms >= question.after_ms and offset < question.ends.get(partition, 0):
                    question.take(record)
            if room in wanted:
                now_bytes = max(question.found_bytes for question in wanted[room])  # they keep the same records
                kept_bytes += now_bytes - room_bytes[room]
                room_bytes[room] = now_bytes
                if kept_bytes > READ_MAX_BYTES:
                    kept_bytes -= room_bytes.pop(room)
                    for question in wanted.pop(room):
                        question.give_up()

    def _records(self, after_ms: int, ends: Mapping[int, int], still_asked: Callable[[], bool]) -> Iterator[Message]:
        """What these partitions have from that moment to these offsets.

        Raises NobodyAsks, TimeoutError and KafkaException.
        """
        assert self._consumer is not None
        moments = [TopicPartition(self._topic, partition, after_ms) for partition in ends]
        starts = self._consumer.offsets_for_times(moments, timeout=METADATA_TIMEOUT_S)
        for start in starts:
            if start.error is not None:
                raise KafkaException(start.error)
        # A negative offset: nothing is that new.
        left = {start.partition: start for start in starts if 0 <= start.offset < ends[start.partition]}
        deadline = time.monotonic() + READ_MAX_S
        self._consumer.assign(list(left.values()))
        try:
            while left:
                if not still_asked():
                    raise NobodyAsks
                if time.monotonic() > deadline:
                    raise TimeoutError(f"not within {READ_MAX_S:g} s")
                for record in poll_batch(self._consumer):
                    partition, offset = place_of(record)
                    if offset < ends[partition]:
                        yield record
                    if offset + 1 >= ends[partition]:
                        left.pop(partition, None)
        finally:
            self._consumer.unassign()  # else it would go on fetching what is said now

    async def close(self) -> None:
        if self._reading is not None:
            await asyncio.wait([self._reading])
        if self._consumer is not None:
            await asyncio.to_thread(self._consumer.close)
