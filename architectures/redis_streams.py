"""redis-streams: one stream per room, which every gateway with members of the room reads at its own position.

    member -> gateway -> XADD room -> every gateway that reads the room -> its members

This design is between pub/sub and Kafka. A stream keeps its messages, so a gateway that was cut off or paused reads on
from its position, and loses nothing while Redis runs and the stream was not trimmed meanwhile (about `--arch-set
keep=N` messages of each room are kept). A gateway waits for all of its rooms with one XREAD, which names each room
every time: this is its cost with very many rooms on a gateway. An ack means that Redis has the message in memory.
Whether it survives a restart depends on Redis's settings (appendonly), and is not promised. In a cluster, one XREAD
cannot name rooms of several nodes, so this architecture needs a single Redis.
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

LOOK_BACK_PAGE = 200  # messages; 25 MiB if they have the maximum size
READ_MAX = 500  # messages of each room at once
# An external Redis must not keep data for ever, so a stream expires this long after its last message. Every gateway
# that publishes to it postpones the expiry once per EXPIRE_EVERY_S.
EXPIRE_AFTER_S = 2 * 24 * 3600
EXPIRE_EVERY_S = 3600
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
        # By room with members here: when this gateway last set the expiry of its stream, and on which connection.
        self._expiry_set: dict[str, tuple[float, AbstractConnection]] = {}
        self._publisher = Publisher(self.services.redis_url, failed)
        self._reader = StreamReader(self.services.redis_url, self._on_messages, failed)
        await self._reader.open(self.topology.topic(f"gateway:{self.gateway}"))

    async def publish(self, room: str, payload: bytes) -> None:
        stream = self._prefix + room
        now_s, connection = time.monotonic(), self._publisher.connection
        last_s, last_connection = self._expiry_set.get(room, (-math.inf, None))
        try:
            if last_connection is connection and now_s - last_s < EXPIRE_EVERY_S:
                await self._publisher.append(stream, payload, self._keep)
            else:
                self._expiry_set[room] = now_s, connection  # later messages are sent after it
                await self._publisher.begin(stream, payload, self._keep, EXPIRE_AFTER_S)
        except Rejected:
            self._expiry_set.pop(room, None)
            raise

    def _on_messages(self, messages: Sequence[tuple[str, bytes]]) -> None:
        start = len(self._prefix)
        self._deliver([Delivery(stream[start:], payload) for stream, payload in messages])

    async def join(self, room: str) -> None:
        await self._reader.follow(self._prefix + room)

    async def leave(self, room: str) -> None:
        self._expiry_set.pop(room, None)
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
    """Reads many streams at once, each from its end at the time of `follow`, and delivers batches of (stream, payload).

    XREAD blocks its connection until a message comes. So to follow another stream, the reader writes to a stream of its
    own over a second connection, which ends the XREAD.
    """

    def __init__(
        self,
        url: str,
        deliver: Callable[[Sequence[tuple[str, bytes]]], None],
        failed: Callable[[BaseException], None],
    ) -> None:
        address = RedisAddress.parse(url)
        self._reading_link, self._query_link = Link(address), Link(address)
        self._deliver = deliver
        self._failed = failed
        self._own = ""
        self._positions: dict[str, bytes] = {}  # the last entry of each stream that was read or skipped
        self._query_lock = asyncio.Lock()
        self._reading: asyncio.Task[None] | None = None

    async def open(self, own_stream: str) -> None:
        """Start reading; `own_stream` is a stream that nothing else may use."""
        self._own = own_stream
        await self._wake()
        self._positions[own_stream] = START
        self._reading = asyncio.create_task(self._read())

    async def follow(self, stream: str) -> None:
        """Follow a stream; every message published after the return arrives. Waits while Redis is away."""
        last = await self._query("XREVRANGE", stream, "+", "-", "COUNT", 1)
        self._positions[stream] = last[0][0] if last else START
        await self._wake()

    def unfollow(self, stream: str) -> None:
        """Stop following a stream at the next read; messages that arrive before that are still delivered."""
        self._positions.pop(stream, None)

    async def look_back(self, stream: str, after_s: float) -> list[bytes]:
        """Return the payloads since `after_s`, by the clock of Redis, up to the current position; raises Rejected."""
        since = max(0, round(after_s * 1000))
        latest_first: list[bytes] = []
        left_bytes, end = HISTORY_MAX_BYTES, self._positions[stream]
        # Read page by page, because a single answer could be larger than this process can hold.
        while left_bytes >= 0 and (left := HISTORY_MAX - len(latest_first)) > 0:
            page = min(LOOK_BACK_PAGE, left)
            try:
                entries = await self._query("XREVRANGE", stream, end, since, "COUNT", page)
            except (RedisError, OSError) as problem:
                raise Rejected(f"Redis did not return the history: {problem}") from problem
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
        await self._query("XADD", self._own, "MAXLEN", 1, "*", "p", b"")
        await self._query("EXPIRE", self._own, EXPIRE_AFTER_S)

    async def _query(self, *command: str | bytes | int) -> Any:
        began_s = time.monotonic()
        wait_s = COME_BACK_FIRST_S
        async with self._query_lock:
            while True:
                try:
                    async with asyncio.timeout(ANSWER_MAX_S):
                        return await _answer(self._query_link, *command)
                except (RedisError, OSError) as problem:
                    if (for_good := gone_for_good(problem, f"{command[0]!s} {command[1]!s}")) is not None:
                        self._failed(for_good)
                        raise for_good from problem
                    if time.monotonic() - began_s > AWAY_MAX_S:
                        raise
                await asyncio.sleep(wait_s)
                wait_s = min(2 * wait_s, COME_BACK_EVERY_S)
                await self._query_link.renew()

    async def _read(self) -> None:
        heard_s = time.monotonic()
        wait_s = COME_BACK_FIRST_S
        while True:
            try:
                streams = list(self._positions)
                wanted: list[str | bytes] = [*streams, *(self._positions[stream] for stream in streams)]
                replies = await _answer(self._reading_link, "XREAD", "COUNT", READ_MAX, "BLOCK", 0, "STREAMS", *wanted)
                heard_s, wait_s = time.monotonic(), COME_BACK_FIRST_S
                self._take(replies)
            except (RedisError, OSError) as problem:
                if (for_good := gone_for_good(problem, "XREAD the rooms")) is not None:
                    self._failed(for_good)
                    return
                # Nothing is missed meanwhile, because the streams keep their messages.
                if time.monotonic() - heard_s > AWAY_MAX_S and not await self._is_back():
                    self._failed(problem)
                    return
                await asyncio.sleep(wait_s)
                wait_s = min(2 * wait_s, COME_BACK_EVERY_S)
                await self._reading_link.renew()
            except Exception as problem:  # noqa: BLE001 - a gateway that stops delivering must not look like a quiet room
                self._failed(problem)
                return

    async def _is_back(self) -> bool:
        """Whether Redis answers now. Called after a long silence, for which Redis may not be the cause."""
        await self._reading_link.renew()
        with contextlib.suppress(RedisError, OSError):
            async with asyncio.timeout(ANSWER_MAX_S):
                await _answer(self._reading_link, "PING")
                return True
        return False

    def _take(self, replies: Sequence[Any]) -> None:
        batch: list[tuple[str, bytes]] = []
        for raw_stream, entries in replies:
            stream = raw_stream.decode()
            if stream in self._positions:
                if stream != self._own:
                    # A stream that was followed again during this XREAD has a later position than some of the entries.
                    position = _order(self._positions[stream])
                    if _order(entries[0][0]) <= position:
                        entries = [entry for entry in entries if _order(entry[0]) > position]  # noqa: PLW2901 - the rest
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
        for link in (self._reading_link, self._query_link):
            await link.connection.disconnect()


def _order(entry: bytes) -> tuple[int, int]:
    """Return the sort key of a stream entry's id: its milliseconds, and the number within them."""
    milliseconds, _, number = entry.partition(b"-")
    return int(milliseconds), int(number)


async def _answer(link: Link, *command: str | bytes | int) -> Any:
    await link.ready()
    await link.send([command])
    return await link.connection.read_response(disable_decoding=True, timeout=math.inf)
