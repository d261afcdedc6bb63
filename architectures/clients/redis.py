"""The Redis client that the architectures share: a publisher that pipelines in order, and a batching subscriber."""

from __future__ import annotations

import asyncio
import contextlib
import math
import socket
import ssl
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

from redis.asyncio.connection import AbstractConnection
from redis.exceptions import (
    AuthenticationError,
    AuthorizationError,
    NoPermissionError,
    RedisError,
    ResponseError,
)

from architectures.clients.redis_address import RedisAddress
from architectures.clients.redis_pool import redis_pool
from architectures.clients.send_queue import SendQueue
from architectures.interface import GoneForGood, Rejected

ANSWER_MAX_S = 5.0  # redis-py's own default
COME_BACK_FIRST_S, COME_BACK_EVERY_S = 0.05, 1.0  # the first and the longest wait between attempts; each doubles
Command = tuple[str | bytes | int, ...]
AWAY_MAX_S = 30.0  # a Redis that is away for longer counts as gone for good
# TCP keepalive: a subscriber, which only receives, would not notice that a firewall has dropped its connection, and
# keepalive also keeps firewalls from dropping idle connections.
KEEP_ALIVE = {socket.TCP_KEEPIDLE: 10, socket.TCP_KEEPINTVL: 3, socket.TCP_KEEPCNT: 3}


def gone_for_good(problem: BaseException, action: str) -> GoneForGood | None:
    """Return the error for the user if a retry cannot help; None for temporary errors, such as a broken connection.

    `action` is what failed, in a form that follows "Redis forbids its user to".
    """
    if isinstance(problem, AuthenticationError | AuthorizationError):
        return GoneForGood(f"Redis does not let its user in ({problem}); check the user name and the password")
    if isinstance(problem, NoPermissionError):
        return GoneForGood(f"Redis forbids its user to {action} ({problem}); grant it that right (ACL SETUSER)")
    if isinstance(problem, ResponseError) and str(problem).startswith("WRONGTYPE"):
        return GoneForGood(f"Redis cannot {action}, because that key holds another kind of value ({problem})")
    cause: BaseException | None = problem
    while cause is not None and not isinstance(cause, ssl.SSLError):
        cause = cause.__cause__ or cause.__context__
    if cause is not None and not isinstance(cause, ssl.SSLEOFError | ssl.SSLZeroReturnError):
        return GoneForGood(f"Redis cannot be reached over TLS ({cause}); check its certificate, or set ssl_ca_certs")
    return None


class Link:
    """One connection that never retries: repeating a PUBLISH would duplicate it, and a silent re-SUBSCRIBE leave a gap.

    Only redis-py's lowest layer is used. Client, pipeline and PubSub above it take some 100 us of CPU for each round
    trip that brings one message (timeouts, retries, a dict per message), as much as ten deliveries.
    """

    def __init__(self, address: RedisAddress) -> None:
        self.address = address
        self._make()

    def _make(self) -> None:
        self._pool = redis_pool(self.address)  # a sentinel's connection holds the pool only weakly
        usual = {"socket_keepalive": True, "socket_keepalive_options": KEEP_ALIVE}
        self._pool.connection_kwargs = {**usual, **self._pool.connection_kwargs}
        self.connection: AbstractConnection = self._pool.make_connection()  # type: ignore[no-untyped-call]  # redis-py's

    async def renew(self) -> None:
        """Replace a broken connection; in a cluster the new one may be to another node. It is not connected yet."""
        await self.connection.disconnect(nowait=True)
        self._make()

    async def ready(self) -> None:
        """Connect; reconnect if Redis has closed the connection, since data sent on it would never arrive."""
        reader, writer = self.connection._reader, self.connection._writer
        if reader and writer and (reader.at_eof() or reader.exception() is not None or writer.is_closing()):
            await self.renew()
        await self.connection.connect()  # type: ignore[no-untyped-call]  # redis-py's; does nothing while connected

    async def send(self, commands: Sequence[Command]) -> None:
        try:
            await self.connection.send_packed_command(self.connection.pack_commands(commands))
        except RuntimeError as closed:  # raised by uvloop if the connection was closed a moment ago
            raise ConnectionError(str(closed)) from closed


class Verbs(NamedTuple):
    """The commands and replies of Redis for one kind of channels."""

    publish: str
    subscribe: str
    unsubscribe: str
    subscribed: bytes
    message: bytes


CLASSIC = Verbs("PUBLISH", "SUBSCRIBE", "UNSUBSCRIBE", b"subscribe", b"message")
SHARDED = Verbs(
    "SPUBLISH", "SSUBSCRIBE", "SUNSUBSCRIBE", b"ssubscribe", b"smessage"
)  # only on the node that serves the slot


class Pipeline:
    """A connection on which commands are sent together and answered one by one."""

    def __init__(self, link: Link) -> None:
        self._link = link
        # The streams that existed during this connection. Only if one of these is missing, it was deleted.
        self._seen: set[str] = set()
        self._seen_over = link.connection

    @property
    def connection(self) -> AbstractConnection:
        """The current connection. It changes after it was closed, and then Redis may have lost its data."""
        return self._link.connection

    async def execute(self, commands: Sequence[Command]) -> list[Rejected | None]:
        """Execute the commands in order; returns for each the reason if it was refused, else None. Raises GoneForGood.

        A closed connection is opened again first. Commands that had no answer when the connection broke count as
        refused, because it is unknown whether Redis has executed them.
        """
        answers: list[Rejected | None] = []
        try:
            async with asyncio.timeout(ANSWER_MAX_S):
                await self._link.ready()
                connection = self._link.connection
                if self._seen_over is not connection:
                    self._seen, self._seen_over = set(), connection
                await self._link.send(commands)
                while len(answers) < len(commands):
                    try:
                        answer = await connection.read_response(timeout=math.inf)
                        name, target = commands[len(answers)][0], str(commands[len(answers)][1])
                        if answer is not None:
                            if name == "XADD":
                                self._seen.add(target)
                            answers.append(None)
                        elif target in self._seen:
                            await self._link.renew()  # do not wait for the other answers
                            raise _deleted(target)
                        else:
                            answers.append(Rejected("Redis has lost the room's stream; send the message again"))
                    except ResponseError as problem:  # only this command failed; the next answer follows
                        action = " ".join(str(part) for part in commands[len(answers)][:2])
                        if (for_good := gone_for_good(problem, action)) is not None:
                            await self._link.renew()  # do not wait for the other answers
                            raise for_good from problem
                        answers.append(_rejected(problem))
        except (RedisError, OSError) as problem:  # TimeoutError is an OSError
            await self._link.renew()
            if (for_good := gone_for_good(problem, "connect")) is not None:
                raise for_good from problem
            answers += [_rejected(problem)] * (len(commands) - len(answers))
        return answers

    def forget(self, stream: str) -> None:
        """Forget that the stream exists, because it may expire before the next message."""
        self._seen.discard(stream)

    async def close(self) -> None:
        await self._link.connection.disconnect()


def _deleted(stream: str) -> GoneForGood:
    return GoneForGood(f"the stream {stream} was deleted from Redis, or evicted, while it was in use; start again")


def _rejected(problem: Exception) -> Rejected:
    return Rejected(f"Redis did not accept the message: {problem or type(problem).__name__}")


class Publisher:
    """Publishes to channels or streams in the order of the calls, with all waiting messages in each round trip.

    redis-py uses another connection of its pool for each overlapping call, and there is no order between two
    connections. Here one task owns one connection, and sends the waiting messages as one pipeline.
    """

    def __init__(self, at: str | Link, failed: Callable[[BaseException], None], *, verbs: Verbs = CLASSIC) -> None:
        """`at` is a URL, or a connection for this publisher alone. `failed` is called when publishing cannot go on."""
        self._pipeline = Pipeline(at if isinstance(at, Link) else Link(RedisAddress.parse(at)))
        self._verbs = verbs
        self._commands: SendQueue[Command] = SendQueue("Redis", self._pipeline.execute, failed)

    async def publish(self, channel: str, payload: bytes) -> None:
        """Return when Redis has executed the PUBLISH; raises Rejected if it did not, or if the queue is full."""
        await self._commands.send((self._verbs.publish, channel, payload))

    @property
    def connection(self) -> AbstractConnection:
        """The current connection; see Pipeline.connection."""
        return self._pipeline.connection

    async def append(self, stream: str, payload: bytes, keep: int) -> None:
        """Append to an existing stream, which keeps about `keep` messages; raises Rejected like `publish`.

        If the stream was deleted, `failed` is called with GoneForGood.
        """
        await self._commands.send(("XADD", stream, "NOMKSTREAM", "MAXLEN", "~", keep, "*", "p", payload))

    async def begin(self, stream: str, payload: bytes, keep: int, gone_after_s: int) -> None:
        """Append to a stream that may not exist yet; it expires `gone_after_s` seconds after the last `begin`."""
        added = self._commands.put(("XADD", stream, "MAXLEN", "~", keep, "*", "p", payload))
        await asyncio.gather(added, self._commands.put(("EXPIRE", stream, gone_after_s)))

    def forget(self, stream: str) -> None:
        """Forget that the stream exists; see Pipeline.forget."""
        self._pipeline.forget(stream)

    async def close(self) -> None:
        """Send what is waiting, then disconnect."""
        await self._commands.close()
        await self._pipeline.close()


class Subscriber:
    """Subscribes to channels, and delivers batches of (channel, payload).

    When the connection breaks, it reconnects and subscribes again. Messages published meanwhile are lost.
    """

    def __init__(
        self,
        at: str | Link,
        deliver: Callable[[Sequence[tuple[str, bytes]]], None],
        failed: Callable[[BaseException], None],
        broke: Callable[[], None] = lambda: None,
        resumed: Callable[[], None] = lambda: None,
        *,
        verbs: Verbs = CLASSIC,
    ) -> None:
        """`at` is a URL, or a connection for this subscriber alone.

        `broke` is called when the connection breaks, `resumed` when Redis has confirmed all subscriptions again, and
        `failed` when Redis is gone for good.
        """
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
        """Connect, and subscribe to `own_channel`, which nothing else may use.

        A connection without a subscription cannot be read. Raises GoneForGood, RedisError or OSError.
        """
        self._own_channel = own_channel
        try:
            await self._subscribe_to_all()
        except (RedisError, OSError) as problem:
            raise gone_for_good(problem, f"SUBSCRIBE {own_channel!r}") or problem from None
        self._reading = asyncio.create_task(self._read())

    async def subscribe(self, channel: str) -> None:
        """Return when Redis has confirmed the subscription: from then on every message of the channel arrives."""
        async with self._changing:
            confirmed = self._confirming[channel] = asyncio.get_running_loop().create_future()
            self._channels[channel] = None
            with contextlib.suppress(
                RedisError, OSError
            ):  # the reading task notices it too, and subscribes to all again
                await self._link.send([(self._verbs.subscribe, channel)])
        await confirmed

    async def unsubscribe(self, channel: str) -> None:
        async with self._changing:
            self._channels.pop(channel, None)
            with contextlib.suppress(RedisError, OSError):  # as in subscribe
                await self._link.send([(self._verbs.unsubscribe, channel)])

    async def _read(self) -> None:
        try:
            while True:
                try:
                    await self._read_on()
                except (RedisError, OSError) as problem:
                    await self._come_back(problem)
        except Exception as problem:  # noqa: BLE001 - a gateway that receives nothing must not go on
            self._failed(problem)

    async def _read_on(self) -> None:
        while True:
            self._take(await self._next())

    async def _next(self) -> list[bytes]:
        reply: list[bytes] = await self._link.connection.read_response(disable_decoding=True, timeout=math.inf)
        return reply

    def _take(self, reply: list[bytes]) -> None:
        kind, channel, payload = reply
        if kind == self._verbs.message:
            if not self._batch:
                # Reading does not pause while replies are available, so _hand_over runs after it and gets all of them.
                asyncio.get_running_loop().call_soon(self._hand_over)
            self._batch.append((channel.decode(), payload))
        elif kind == self._verbs.subscribed:
            confirmed = self._confirming.pop(channel.decode(), None)
            if confirmed is not None and not confirmed.done():  # else the waiting task was cancelled
                confirmed.set_result(None)

    def _hand_over(self) -> None:
        batch, self._batch = self._batch, []
        try:
            if batch:  # else it was handed over already, when the connection broke
                self._deliver(batch)
        except Exception as problem:  # noqa: BLE001 - a gateway that stops delivering must not look like a quiet room
            self._failed(problem)

    async def _come_back(self, problem: Exception) -> None:
        """Subscribe to all channels on a new connection; raises if Redis stays away or refuses."""
        broke_s = time.monotonic()
        self._hand_over()
        self._broke()
        wait_s = COME_BACK_FIRST_S
        async with self._changing:
            while True:
                if (for_good := gone_for_good(problem, f"{self._verbs.subscribe} to the rooms")) is not None:
                    raise for_good from problem
                if time.monotonic() - broke_s > AWAY_MAX_S:
                    raise problem
                await asyncio.sleep(wait_s)
                wait_s = min(2 * wait_s, COME_BACK_EVERY_S)
                try:
                    async with asyncio.timeout(ANSWER_MAX_S):
                        await self._link.renew()
                        await self._subscribe_to_all()
                    break
                except (RedisError, OSError) as next_problem:
                    problem = next_problem
        self._resumed()

    async def _subscribe_to_all(self) -> None:
        """Subscribe to all channels, and return when Redis has confirmed them."""
        await self._link.ready()
        # One command per channel, because one command must not name channels of several slots. The own channel is last:
        # when it is confirmed, all others are.
        rooms = [(self._verbs.subscribe, channel) for channel in self._channels]
        await self._link.send([*rooms, ("SUBSCRIBE", self._own_channel)])
        own = [b"subscribe", self._own_channel.encode()]
        while (reply := await self._next())[:2] != own:
            self._take(reply)

    async def close(self) -> None:
        if self._reading is not None:
            self._reading.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._reading
        await self._link.connection.disconnect()
