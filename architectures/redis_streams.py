"""redis-streams: a stream per room, read from where one is by the gateways that have members of the room.

    member -> gateway -> XADD room -> every gateway that reads the room -> its members

Between pub/sub and Kafka: a stream keeps what was said, so a gateway that was cut off or stood still reads on from
where it was, and nothing is lost as long as Redis lives and the stream was not trimmed meanwhile (about
`--arch-set keep=N` messages of each room are kept). A gateway waits for all of its rooms in one XREAD, which names each
of them every time: with very many rooms on a gateway that is what it costs. An ack means that Redis has the message in
memory; whether that outlives a restart is for Redis to say (appendonly), and is not promised. In a cluster one XREAD
cannot name rooms of several nodes, so this one needs a single Redis.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

from redis.asyncio.connection import AbstractConnection
from redis.exceptions import RedisError

from architectures.clients.redis import (
    ANSWER_MAX_S,
    AWAY_MAX_S,
    COME_BACK_EVERY_S,
    COME_BACK_FIRST_S,
    Link,
    Publisher,
    gone_for_good,
)
from architectures.clients.redis_address import RedisAddress
from architectures.interface import (
    HISTORY_MAX,
    HISTORY_MAX_BYTES,
    Architecture,
    BadTopology,
    Delivery,
    Option,
    Promises,
    Rejected,
    Requirements,
    Services,
    Topology,
)
from architectures.routes import Route, Scene, through_channel

LOOK_BACK_PAGE = 200  # messages: of the longest that a gateway takes, 25 MiB
READ_MAX = 500  # messages of each room at once
# A Redis that is somebody else's keeps nothing for ever: a stream is gone so long after something was last said there,
# which every gateway that speaks there puts off in good time.
GONE_AFTER_S = 2 * 24 * 3600
PUT_OFF_EVERY_S = 3600
START = b"0-0"


class RedisStreams(Architecture):
    name: ClassVar[str] = "redis-streams"
    summary: ClassVar[str] = "Redis streams: a stream per room, read on from where a gateway is"
    requires: ClassVar[Requirements] = Requirements(redis=True)
    promises: ClassVar[Promises] = Promises(
        everyone=True,
        once=True,
        ordered=True,
        durable_ack=False,
        history=True,
        survives=(
            *("kill:gateway", "restart:gateway", "pause:gateway", "slow:members"),
            *("pause:redis", "cut:gateway-redis", "reset:gateway-redis"),
        ),
    )
    options: ClassVar[Mapping[str, Option]] = {"keep": 10_000}

    @classmethod
    def route(cls, scene: Scene) -> Route:
        return through_channel(scene, f"stream {scene.room}")

    @classmethod
    def check(cls, topology: Topology) -> None:
        keep = topology.options.get("keep", cls.options["keep"])
        if isinstance(keep, str) or keep < 1 or keep != int(keep):
            raise BadTopology(f"--arch-set keep is {keep}, but it must be a whole number of messages, at least 1")

    @classmethod
    def provision(cls, services: Services, topology: Topology) -> None:
        """Nothing to make: a stream exists from its first message on."""

    async def open(
        self,
        deliver: Callable[[Sequence[Delivery]], None],
        failed: Callable[[BaseException], None],
        moved: Callable[[Sequence[str]], None],
    ) -> None:
        assert self.services.redis_url is not None
        self._deliver = deliver
        self._prefix = self.topology.topic("room:")
        self._keep = int(self.topology.options.get("keep", self.options["keep"]))
        # By room with members here: when this gateway last put off the end of its stream, and over which connection.
        self._put_off: dict[str, tuple[float, AbstractConnection]] = {}
        self._publisher = Publisher(self.services.redis_url, failed)
        self._reader = StreamReader(self.services.redis_url, self._on_messages, failed)
        await self._reader.open(self.topology.topic(f"gateway:{self.gateway}"))

    async def publish(self, room: str, payload: bytes) -> None:
        stream = self._prefix + room
        now_s, connection = time.monotonic(), self._publisher.connection
        last_s, over = self._put_off.get(room, (-math.inf, None))
        try:
            if over is connection and now_s - last_s < PUT_OFF_EVERY_S:
                await self._publisher.append(stream, payload, self._keep)
            else:
                self._put_off[room] = now_s, connection  # what else is said meanwhile is sent after it
                await self._publisher.begin(stream, payload, self._keep, GONE_AFTER_S)
        except Rejected:
            self._put_off.pop(room, None)
            raise

    def _on_messages(self, messages: Sequence[tuple[str, bytes]]) -> None:
        start = len(self._prefix)
        self._deliver([Delivery(stream[start:], payload) for stream, payload in messages])

    async def join(self, room: str) -> None:
        await self._reader.follow(self._prefix + room)

    async def leave(self, room: str) -> None:
        self._put_off.pop(room, None)
        self._publisher.forget(self._prefix + room)
        self._reader.unfollow(self._prefix + room)

    async def history(self, room: str, after_s: float) -> Sequence[bytes]:
        return await self._reader.look_back(self._prefix + room, after_s)

    def owner(self, room: str) -> int | None:
        return None

    async def close(self) -> None:
        await self._publisher.close()
        await self._reader.close()


class StreamReader:
    """Reads many streams at once, each from its end as it was at `follow`, and hands over batches of (stream, payload).

    XREAD blocks its connection until something comes, so whoever wants it to look at another stream writes to one of
    the reader's own, over a second connection.
    """

    def __init__(
        self,
        url: str,
        deliver: Callable[[Sequence[tuple[str, bytes]]], None],
        failed: Callable[[BaseException], None],
    ) -> None:
        address = RedisAddress.parse(url)
        self._reading_link, self._asking_link = Link(address), Link(address)
        self._deliver = deliver
        self._failed = failed
        self._own = ""
        self._positions: dict[str, bytes] = {}  # the last entry that was read, or that is not wanted
        self._asking = asyncio.Lock()
        self._reading: asyncio.Task[None] | None = None

    async def open(self, own_stream: str) -> None:
        """With a stream that nobody else uses."""
        self._own = own_stream
        await self._wake()
        self._positions[own_stream] = START
        self._reading = asyncio.create_task(self._read())

    async def follow(self, stream: str) -> None:
        """Returns when every message from now on will arrive. Waits while Redis is away."""
        last = await self._ask("XREVRANGE", stream, "+", "-", "COUNT", 1)
        self._positions[stream] = last[0][0] if last else START
        await self._wake()

    def unfollow(self, stream: str) -> None:
        """At the next read; what comes until then is handed over to nobody's harm."""
        self._positions.pop(stream, None)

    async def look_back(self, stream: str, after_s: float) -> list[bytes]:
        """What it has from that moment, by the clock of Redis, to where reading has come; raises Rejected."""
        since = max(0, round(after_s * 1000))
        latest_first: list[bytes] = []
        left_bytes, end = HISTORY_MAX_BYTES, self._positions[stream]
        # A page at a time: a whole answer might be more than this process can hold.
        while left_bytes >= 0 and (left := HISTORY_MAX - len(latest_first)) > 0:
            page = min(LOOK_BACK_PAGE, left)
            try:
                entries = await self._ask("XREVRANGE", stream, end, since, "COUNT", page)
            except (RedisError, OSError) as problem:
                raise Rejected(f"Redis did not tell what was said before: {problem}") from problem
            for entry, fields in entries:
                latest_first.append(fields[1])
                left_bytes -= len(fields[1])
                end = b"(" + entry
                if left_bytes < 0:
                    break
            if len(entries) < page:
                break
        return latest_first[::-1]

    async def _wake(self) -> None:
        await self._ask("XADD", self._own, "MAXLEN", 1, "*", "p", b"")
        await self._ask("EXPIRE", self._own, GONE_AFTER_S)

    async def _ask(self, *command: str | bytes | int) -> Any:
        began_s = time.monotonic()
        wait_s = COME_BACK_FIRST_S
        async with self._asking:
            while True:
                try:
                    async with asyncio.timeout(ANSWER_MAX_S):
                        return await _answer(self._asking_link, *command)
                except (RedisError, OSError) as problem:
                    if (for_good := gone_for_good(problem, f"{command[0]!s} {command[1]!s}")) is not None:
                        self._failed(for_good)
                        raise for_good from problem
                    if time.monotonic() - began_s > AWAY_MAX_S:
                        raise
                await asyncio.sleep(wait_s)
                wait_s = min(2 * wait_s, COME_BACK_EVERY_S)
                await self._asking_link.renew()

    async def _read(self) -> None:
        heard_s = time.monotonic()
        wait_s = COME_BACK_FIRST_S
        while True:
            try:
                streams = list(self._positions)
                wanted: list[str | bytes] = [*streams, *(self._positions[stream] for stream in streams)]
                told = await _answer(self._reading_link, "XREAD", "COUNT", READ_MAX, "BLOCK", 0, "STREAMS", *wanted)
                heard_s, wait_s = time.monotonic(), COME_BACK_FIRST_S
                self._take(told)
            except (RedisError, OSError) as problem:
                if (for_good := gone_for_good(problem, "XREAD the rooms")) is not None:
                    self._failed(for_good)
                    return
                # What is in the streams waits there: nothing was missed.
                if time.monotonic() - heard_s > AWAY_MAX_S and not await self._is_back():
                    self._failed(problem)
                    return
                await asyncio.sleep(wait_s)
                wait_s = min(2 * wait_s, COME_BACK_EVERY_S)
                await self._reading_link.renew()
            except Exception as problem:  # noqa: BLE001 - a gateway that delivers no more must not look like silence
                self._failed(problem)
                return

    async def _is_back(self) -> bool:
        """Asked after a long silence, which may have been nobody's fault."""
        await self._reading_link.renew()
        with contextlib.suppress(RedisError, OSError):
            async with asyncio.timeout(ANSWER_MAX_S):
                await _answer(self._reading_link, "PING")
                return True
        return False

    def _take(self, told: Sequence[Any]) -> None:
        batch: list[tuple[str, bytes]] = []
        for raw_stream, entries in told:
            stream = raw_stream.decode()
            if stream in self._positions:
                if stream != self._own:
                    # Who left and followed again while this was asked for has a position behind some of it.
                    here = _order(self._positions[stream])
                    if _order(entries[0][0]) <= here:
                        entries = [each for each in entries if _order(each[0]) > here]  # noqa: PLW2901 - what is left
                    batch += [(stream, fields[1]) for _entry, fields in entries]
                if entries:
                    self._positions[stream] = entries[-1][0]
        if batch:
            self._deliver(batch)

    async def close(self) -> None:
        if self._reading is not None:
            self._reading.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._reading
        for link in (self._reading_link, self._asking_link):
            await link.connection.disconnect()


def _order(entry: bytes) -> tuple[int, int]:
    """Of entries of a stream, by their ids: milliseconds, and a number within them."""
    milliseconds, _, number = entry.partition(b"-")
    return int(milliseconds), int(number)


async def _answer(link: Link, *command: str | bytes | int) -> Any:
    await link.ready()
    await link.send([command])
    return await link.connection.read_response(disable_decoding=True, timeout=math.inf)
