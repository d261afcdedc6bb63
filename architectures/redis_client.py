"""What the Redis architectures share: a publisher that pipelines in order, a subscriber that hands over batches."""

from __future__ import annotations

import asyncio
import contextlib
import math
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import NamedTuple

import redis.asyncio
from redis.asyncio.connection import AbstractConnection
from redis.exceptions import RedisError, ResponseError

from architectures.in_turn import InTurn
from architectures.interface import Refused
from architectures.redis_address import RedisAddress
from architectures.redis_pool import redis_pool, redis_pools

ANSWER_MAX_S = 5.0  # redis-py's own default
COME_BACK_EVERY_S = 0.05
Command = tuple[str | bytes | int, ...]
AWAY_MAX_S = 30.0  # a Redis that is away for longer is gone for good


class Link:
    """One connection that never retries: a PUBLISH sent twice would be a duplicate, a silent re-SUBSCRIBE a gap.

    Of redis-py's layers only this lowest one is used. Client, pipeline and PubSub above it take some 100 us of CPU for
    each round trip that brings one message (timeouts, retries, a dict per message), as much as ten deliveries.
    """

    def __init__(self, address: RedisAddress) -> None:
        self.address = address
        self._make()

    def _make(self) -> None:
        self._pool = redis_pool(self.address)  # kept: a sentinel's connection holds it weakly
        self.connection: AbstractConnection = self._pool.make_connection()  # type: ignore[no-untyped-call]  # redis-py's

    async def renew(self) -> None:
        """After it broke: a new one, of a cluster perhaps to another node. It is not connected yet."""
        await self.connection.disconnect(nowait=True)
        self._make()


class Verbs(NamedTuple):
    """What Redis calls it to publish, and to listen, to one kind of channels."""

    publish: str
    subscribe: str
    unsubscribe: str
    subscribed: bytes
    message: bytes


CLASSIC = Verbs("PUBLISH", "SUBSCRIBE", "UNSUBSCRIBE", b"subscribe", b"message")
SHARDED = Verbs("SPUBLISH", "SSUBSCRIBE", "SUNSUBSCRIBE", b"ssubscribe", b"smessage")  # only on the node of the slot


class Publisher:
    """Publishes to channels or streams in the order of the calls, and as many messages a round trip as have gathered.

    redis-py takes a connection of its pool for each call that overlaps another, and between two connections there is
    no order. Here one task owns one connection, and sends what is waiting as one pipeline.
    """

    def __init__(self, at: str | Link, verbs: Verbs = CLASSIC) -> None:
        """`at` is a URL, or a connection of its own."""
        self._link = at if isinstance(at, Link) else Link(RedisAddress.parse(at))
        self._verbs = verbs
        self._commands: InTurn[Command] = InTurn("Redis", self._execute)

    async def publish(self, channel: str, payload: bytes) -> None:
        """Returns when Redis has executed the PUBLISH; raises Refused if it did not, or too much is waiting."""
        await self._commands.send((self._verbs.publish, channel, payload))

    async def append(self, stream: str, payload: bytes, keep: int) -> None:
        """As publish, to a stream that keeps about so many messages."""
        await self._commands.send(("XADD", stream, "MAXLEN", "~", keep, "*", "p", payload))

    async def expire(self, key: str, after_s: int) -> None:
        """As publish: what is there under that key is gone after that time."""
        await self._commands.send(("EXPIRE", key, after_s))

    async def _execute(self, commands: Sequence[Command]) -> list[Refused | None]:
        """Of each command, why it was refused, if it was."""
        connection = self._link.connection
        answers: list[Refused | None] = []
        try:
            async with asyncio.timeout(ANSWER_MAX_S):
                await connection.connect()  # type: ignore[no-untyped-call]  # redis-py's; does nothing while connected
                await connection.send_packed_command(connection.pack_commands(commands))
                while len(answers) < len(commands):
                    try:
                        await connection.read_response(timeout=math.inf)
                        answers.append(None)
                    except ResponseError as problem:  # of this command alone; the next answer follows
                        answers.append(_refused(problem))
        except (RedisError, OSError) as problem:  # OSError: also a time-out
            await self._link.renew()
            refused = _refused(problem)
            answers += [refused] * (len(commands) - len(answers))
        return answers

    async def all_subscribed(self, channels: Sequence[str]) -> bool:
        """Whether somebody listens to each of these channels; False if Redis does not answer."""
        listening: Counter[str] = Counter()
        try:
            for pool in redis_pools(self._link.address):
                async with redis.asyncio.Redis.from_pool(pool) as client:
                    for channel, count in await client.pubsub_numsub(*channels):
                        listening[str(channel, "utf-8") if isinstance(channel, bytes) else channel] += count
        except (RedisError, OSError):
            return False
        return all(listening[channel] > 0 for channel in channels)

    async def close(self) -> None:
        """Send what is waiting, then disconnect."""
        await self._commands.close()
        await self._link.connection.disconnect()


def _refused(problem: Exception) -> Refused:
    return Refused(f"Redis did not accept the message: {problem or type(problem).__name__}")


class Subscriber:
    """Reads the channels it is subscribed to and hands over batches of (channel, payload).

    When Redis goes away it comes back and subscribes again. What was published meanwhile is gone, so `resumed` is told.
    """

    def __init__(
        self,
        at: str | Link,
        deliver: Callable[[Sequence[tuple[str, bytes]]], None],
        failed: Callable[[BaseException], None],
        broke: Callable[[], None] = lambda: None,
        resumed: Callable[[float], None] = lambda _broke_s: None,
        *,
        verbs: Verbs = CLASSIC,
    ) -> None:
        """`at` is a URL, or a connection of its own.

        `broke` is told at once, and `resumed` when all is subscribed again, with the break's time.monotonic()."""
        self._link = at if isinstance(at, Link) else Link(RedisAddress.parse(at))
        self._verbs = verbs
        self._deliver = deliver
        self._failed = failed
        self._broke = broke
        self._resumed = resumed
        self._own_channel = ""
        self._channels: dict[str, None] = {}
        self._confirming: dict[str, asyncio.Future[None]] = {}
        self._batch: list[tuple[str, bytes]] = []
        self._changing = asyncio.Lock()
        self._reading: asyncio.Task[None] | None = None

    async def open(self, own_channel: str) -> None:
        """Subscribe to a channel nobody else uses: a connection without any cannot be read from."""
        self._own_channel = own_channel
        await self._link.connection.connect()  # type: ignore[no-untyped-call]  # redis-py's
        await self._link.connection.send_command("SUBSCRIBE", own_channel)
        self._reading = asyncio.create_task(self._read())

    async def subscribe(self, channel: str) -> None:
        """Returns when Redis has confirmed it: from then on every message of the channel arrives."""
        async with self._changing:
            confirmed = self._confirming[channel] = asyncio.get_running_loop().create_future()
            self._channels[channel] = None
            with contextlib.suppress(RedisError, OSError):  # whoever reads sees that too, and subscribes to all again
                await self._link.connection.send_command(self._verbs.subscribe, channel)
        await confirmed

    async def unsubscribe(self, channel: str) -> None:
        async with self._changing:
            self._channels.pop(channel, None)
            with contextlib.suppress(RedisError, OSError):  # as in subscribe
                await self._link.connection.send_command(self._verbs.unsubscribe, channel)

    async def _read(self) -> None:
        try:
            while True:
                try:
                    await self._read_on()
                except (RedisError, OSError) as problem:
                    await self._come_back(problem)
        except (RedisError, OSError) as problem:
            self._failed(problem)

    async def _read_on(self) -> None:
        while True:
            self._take(await self._link.connection.read_response(disable_decoding=True, timeout=math.inf))

    def _take(self, reply: list[bytes]) -> None:
        kind, channel, told = reply
        if kind == self._verbs.message:
            if not self._batch:
                # Reading goes on without a pause while anything has arrived: then this is called, and has all of it.
                asyncio.get_running_loop().call_soon(self._hand_over)
            self._batch.append((channel.decode(), told))
        elif kind == self._verbs.subscribed and (confirmed := self._confirming.pop(channel.decode(), None)) is not None:
            confirmed.set_result(None)

    def _hand_over(self) -> None:
        batch, self._batch = self._batch, []
        try:
            self._deliver(batch)
        except Exception as problem:  # noqa: BLE001 - a gateway that delivers no more must not look like silence
            self._failed(problem)

    async def _come_back(self, problem: Exception) -> None:
        """Subscribe to everything on a new connection; raises `problem` when Redis stays away."""
        broke_s = time.monotonic()
        self._broke()
        async with self._changing:
            while True:
                await asyncio.sleep(COME_BACK_EVERY_S)
                with contextlib.suppress(RedisError, OSError):
                    async with asyncio.timeout(ANSWER_MAX_S):
                        await self._link.renew()
                        await self._link.connection.connect()  # type: ignore[no-untyped-call]  # redis-py's
                        # One by one, as channels of several slots must be; its own channel last: who finds it
                        # subscribed knows that the rooms are.
                        again = [(self._verbs.subscribe, channel) for channel in self._channels]
                        commands = self._link.connection.pack_commands([*again, ("SUBSCRIBE", self._own_channel)])
                        await self._link.connection.send_packed_command(commands)
                    break
                if time.monotonic() - broke_s > AWAY_MAX_S:
                    raise problem
        self._resumed(broke_s)

    async def close(self) -> None:
        if self._reading is not None:
            self._reading.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._reading
        await self._link.connection.disconnect()
