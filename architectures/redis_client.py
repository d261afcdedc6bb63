"""What the Redis architectures share: a publisher that pipelines in order, a subscriber that hands over batches."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import redis.asyncio
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from architectures.interface import Refused

PIPELINE_MAX = 500
WAITING_MAX = 10_000
BATCH_MAX = 500
COME_BACK_EVERY_S = 0.05
AWAY_MAX_S = 30.0  # a Redis that is away for longer is gone for good


def connect(url: str) -> redis.asyncio.Redis:
    """One connection that never retries: a PUBLISH sent twice would be a duplicate, a silent re-SUBSCRIBE a gap."""
    return redis.asyncio.Redis.from_url(url, single_connection_client=True, retry=Retry(NoBackoff(), 0))


class Publisher:
    """Publishes in the order of the calls, and as many messages a round trip as have gathered.

    redis-py takes a connection of its pool for each call that overlaps another, and between two connections there is
    no order. Here one task owns one connection, and sends what is waiting as one pipeline.
    """

    def __init__(self, url: str) -> None:
        self._client = connect(url)
        self._waiting: asyncio.Queue[tuple[str, bytes, asyncio.Future[None]]] = asyncio.Queue(WAITING_MAX)
        self._sending = asyncio.create_task(self._send())

    async def publish(self, channel: str, payload: bytes) -> None:
        """Returns when Redis has executed the PUBLISH; raises Refused if it did not, or too much is waiting."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        try:
            self._waiting.put_nowait((channel, payload, done))
        except asyncio.QueueFull as full:
            raise Refused("the publisher's queue is full: Redis is slower than the load") from full
        await done

    async def _send(self) -> None:
        while True:
            batch = [await self._waiting.get()]
            while len(batch) < PIPELINE_MAX and not self._waiting.empty():
                batch.append(self._waiting.get_nowait())
            refused = await self._execute([(channel, payload) for channel, payload, _done in batch])
            for _channel, _payload, done in batch:
                self._waiting.task_done()
                if done.done():  # its sender is gone
                    continue
                if refused is None:
                    done.set_result(None)
                else:
                    done.set_exception(refused)

    async def all_subscribed(self, channels: Sequence[str]) -> bool:
        """Whether somebody listens to each of these channels; False if Redis does not answer."""
        try:
            listening = await self._client.pubsub_numsub(*channels)
        except (RedisError, OSError):
            return False
        return all(count > 0 for _channel, count in listening)

    async def _execute(self, messages: Sequence[tuple[str, bytes]]) -> Refused | None:
        pipeline = self._client.pipeline(transaction=False)
        for channel, payload in messages:
            pipeline.publish(channel, payload)
        try:
            await pipeline.execute()
        except (RedisError, OSError) as problem:
            return Refused(f"Redis did not accept the message: {problem}")
        return None

    async def close(self) -> None:
        """Send what is waiting, then disconnect."""
        await self._waiting.join()
        self._sending.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._sending
        await self._client.aclose()


class Subscriber:
    """Reads the channels it is subscribed to and hands over batches of (channel, payload).

    When Redis goes away it comes back and subscribes again. What was published meanwhile is gone, so `resumed` is told.
    """

    def __init__(
        self,
        url: str,
        deliver: Callable[[Sequence[tuple[str, bytes]]], None],
        failed: Callable[[BaseException], None],
        broke: Callable[[], None] = lambda: None,
        resumed: Callable[[float], None] = lambda _broke_s: None,
    ) -> None:
        """`broke` is told at once, and `resumed` when all is subscribed again, with the break's time.monotonic()."""
        self._client = connect(url)
        self._pubsub = self._client.pubsub()
        self._deliver = deliver
        self._failed = failed
        self._broke = broke
        self._resumed = resumed
        self._own_channel = ""
        self._channels: dict[str, None] = {}
        self._confirming: dict[str, asyncio.Future[None]] = {}
        self._changing = asyncio.Lock()
        self._reading: asyncio.Task[None] | None = None

    async def open(self, own_channel: str) -> None:
        """Subscribe to a channel nobody else uses: a connection without any cannot be read from."""
        self._own_channel = own_channel
        await self._pubsub.subscribe(own_channel)
        self._reading = asyncio.create_task(self._read())

    async def subscribe(self, channel: str) -> None:
        """Returns when Redis has confirmed it: from then on every message of the channel arrives."""
        async with self._changing:
            confirmed = self._confirming[channel] = asyncio.get_running_loop().create_future()
            self._channels[channel] = None
            with contextlib.suppress(RedisError, OSError):  # whoever reads sees that too, and subscribes to all again
                await self._pubsub.subscribe(channel)
        await confirmed

    async def unsubscribe(self, channel: str) -> None:
        async with self._changing:
            self._channels.pop(channel, None)
            with contextlib.suppress(RedisError, OSError):  # as in subscribe
                await self._pubsub.unsubscribe(channel)

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
            batch: list[tuple[str, bytes]] = []
            self._take(await self._pubsub.get_message(timeout=None), batch)
            while len(batch) < BATCH_MAX:
                message = await self._pubsub.get_message(timeout=0)
                if message is None:
                    break
                self._take(message, batch)
            if batch:
                self._deliver(batch)

    async def _come_back(self, problem: Exception) -> None:
        """Subscribe to everything on a new connection; raises `problem` when Redis stays away."""
        broke_s = time.monotonic()
        self._broke()
        async with self._changing:
            while True:
                await asyncio.sleep(COME_BACK_EVERY_S)
                with contextlib.suppress(RedisError, OSError):
                    await self._pubsub.aclose()  # type: ignore[no-untyped-call]  # redis-py's
                    self._pubsub = self._client.pubsub()
                    # Its own channel last: who finds it subscribed knows that the rooms are.
                    await self._pubsub.subscribe(*self._channels, self._own_channel)
                    break
                if time.monotonic() - broke_s > AWAY_MAX_S:
                    raise problem
        self._resumed(broke_s)

    def _take(self, message: Mapping[str, Any] | None, batch: list[tuple[str, bytes]]) -> None:
        if message is None:
            return
        kind, channel = message["type"], message["channel"].decode()
        if kind == "message":
            batch.append((channel, message["data"]))
        elif kind == "subscribe" and (confirmed := self._confirming.pop(channel, None)) is not None:
            confirmed.set_result(None)

    async def close(self) -> None:
        if self._reading is not None:
            self._reading.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._reading
        await self._pubsub.aclose()  # type: ignore[no-untyped-call]  # redis-py's
        await self._client.aclose()
