"""What the Redis architectures share: a publisher that pipelines in order, a subscriber that hands over batches."""

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
from architectures.clients.send_queue import InTurn
from architectures.interface import GoneForGood, Rejected

ANSWER_MAX_S = 5.0  # redis-py's own default
COME_BACK_FIRST_S, COME_BACK_EVERY_S = 0.05, 1.0  # the first attempt comes so soon, and each waits twice as long
Command = tuple[str | bytes | int, ...]
AWAY_MAX_S = 30.0  # a Redis that is away for longer is gone for good
# The kernel asks whether the other side is there: who only listens would never notice a connection that something in
# between has forgotten, and one that is asked for is not forgotten.
KEEP_ALIVE = {socket.TCP_KEEPIDLE: 10, socket.TCP_KEEPINTVL: 3, socket.TCP_KEEPCNT: 3}


def gone_for_good(problem: BaseException, doing: str) -> GoneForGood | None:
    """What the user is told of what asking again does not mend; None for what may pass, as a connection that broke."""
    if isinstance(problem, AuthenticationError | AuthorizationError):
        return GoneForGood(f"Redis does not let its user in ({problem}); use the name and the password it knows")
    if isinstance(problem, NoPermissionError):
        return GoneForGood(f"Redis forbids its user to {doing} ({problem}); give it that right (ACL SETUSER)")
    if isinstance(problem, ResponseError) and str(problem).startswith("WRONGTYPE"):
        return GoneForGood(f"Redis cannot {doing}, since somebody keeps something else there ({problem})")
    cause: BaseException | None = problem
    while cause is not None and not isinstance(cause, ssl.SSLError):
        cause = cause.__cause__ or cause.__context__
    if cause is not None and not isinstance(cause, ssl.SSLEOFError | ssl.SSLZeroReturnError):
        return GoneForGood(f"Redis cannot be spoken to over TLS ({cause}); see to its certificate, or to ssl_ca_certs")
    return None


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
        usual = {"socket_keepalive": True, "socket_keepalive_options": KEEP_ALIVE}
        self._pool.connection_kwargs = {**usual, **self._pool.connection_kwargs}
        self.connection: AbstractConnection = self._pool.make_connection()  # type: ignore[no-untyped-call]  # redis-py's

    async def renew(self) -> None:
        """After it broke: a new one, of a cluster perhaps to another node. It is not connected yet."""
        await self.connection.disconnect(nowait=True)
        self._make()

    async def ready(self) -> None:
        """Connect, or anew where the other side has closed it, perhaps long ago: what is sent there never arrives."""
        reader, writer = self.connection._reader, self.connection._writer
        if reader and writer and (reader.at_eof() or reader.exception() is not None or writer.is_closing()):
            await self.renew()
        await self.connection.connect()  # type: ignore[no-untyped-call]  # redis-py's; does nothing while connected

    async def send(self, commands: Sequence[Command]) -> None:
        try:
            await self.connection.send_packed_command(self.connection.pack_commands(commands))
        except RuntimeError as closed:  # as uvloop says that it was closed a moment ago
            raise ConnectionError(str(closed)) from closed


class Verbs(NamedTuple):
    """What Redis calls it to publish, and to listen, to one kind of channels."""

    publish: str
    subscribe: str
    unsubscribe: str
    subscribed: bytes
    message: bytes


CLASSIC = Verbs("PUBLISH", "SUBSCRIBE", "UNSUBSCRIBE", b"subscribe", b"message")
SHARDED = Verbs("SPUBLISH", "SSUBSCRIBE", "SUNSUBSCRIBE", b"ssubscribe", b"smessage")  # only on the node of the slot


class Pipeline:
    """A connection for commands that are sent together and answered one by one."""

    def __init__(self, link: Link) -> None:
        self._link = link
        # The streams that were there over this connection: only of these can it be said that somebody deleted them.
        self._seen: set[str] = set()
        self._seen_over = link.connection

    @property
    def connection(self) -> AbstractConnection:
        """A new one whenever it was closed: then Redis may have begun anew, with nothing of what it had."""
        return self._link.connection

    async def execute(self, commands: Sequence[Command]) -> list[Rejected | None]:
        """In this order. Of each command, why it was refused, if it was; raises GoneForGood.

        A connection that was closed before is made anew. What was sent, and not answered before it broke, is refused:
        nobody can say whether Redis has done it.
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
                        name, told = commands[len(answers)][0], str(commands[len(answers)][1])
                        if answer is not None:
                            if name == "XADD":
                                self._seen.add(told)
                            answers.append(None)
                        elif told in self._seen:
                            await self._link.renew()  # its other answers are not waited for
                            raise _deleted(told)
                        else:
                            answers.append(Rejected("Redis has begun anew, without what was said before; say it again"))
                    except ResponseError as problem:  # of this command alone; the next answer follows
                        doing = " ".join(str(part) for part in commands[len(answers)][:2])
                        if (for_good := gone_for_good(problem, doing)) is not None:
                            await self._link.renew()  # its other answers are not waited for
                            raise for_good from problem
                        answers.append(_rejected(problem))
        except (RedisError, OSError) as problem:  # OSError: also a time-out
            await self._link.renew()
            if (for_good := gone_for_good(problem, "connect")) is not None:
                raise for_good from problem
            answers += [_rejected(problem)] * (len(commands) - len(answers))
        return answers

    def forget(self, stream: str) -> None:
        """It may be gone by the time it is said to again."""
        self._seen.discard(stream)

    async def close(self) -> None:
        await self._link.connection.disconnect()


def _deleted(stream: str) -> GoneForGood:
    return GoneForGood(f"the stream {stream} was deleted from Redis, or evicted, while it was in use; start again")


def _rejected(problem: Exception) -> Rejected:
    return Rejected(f"Redis did not accept the message: {problem or type(problem).__name__}")


class Publisher:
    """Publishes to channels or streams in the order of the calls, and as many messages a round trip as have gathered.

    redis-py takes a connection of its pool for each call that overlaps another, and between two connections there is
    no order. Here one task owns one connection, and sends what is waiting as one pipeline.
    """

    def __init__(self, at: str | Link, failed: Callable[[BaseException], None], *, verbs: Verbs = CLASSIC) -> None:
        """`at` is a URL, or a connection of its own."""
        self._pipeline = Pipeline(at if isinstance(at, Link) else Link(RedisAddress.parse(at)))
        self._verbs = verbs
        self._commands: InTurn[Command] = InTurn("Redis", self._pipeline.execute, failed)

    async def publish(self, channel: str, payload: bytes) -> None:
        """Returns when Redis has executed the PUBLISH; raises Rejected if it did not, or too much is waiting."""
        await self._commands.send((self._verbs.publish, channel, payload))

    @property
    def connection(self) -> AbstractConnection:
        """As Pipeline.connection."""
        return self._pipeline.connection

    async def append(self, stream: str, payload: bytes, keep: int) -> None:
        """As publish, to a stream that is there and keeps about so many messages; GoneForGood if it is not there."""
        await self._commands.send(("XADD", stream, "NOMKSTREAM", "MAXLEN", "~", keep, "*", "p", payload))

    async def begin(self, stream: str, payload: bytes, keep: int, gone_after_s: int) -> None:
        """As append, to a stream that may not be there; it is gone so long after the last `begin`."""
        added = self._commands.put(("XADD", stream, "MAXLEN", "~", keep, "*", "p", payload))
        await asyncio.gather(added, self._commands.put(("EXPIRE", stream, gone_after_s)))

    def forget(self, stream: str) -> None:
        """As Pipeline.forget."""
        self._pipeline.forget(stream)

    async def close(self) -> None:
        """Send what is waiting, then disconnect."""
        await self._commands.close()
        await self._pipeline.close()


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
        resumed: Callable[[], None] = lambda: None,
        *,
        verbs: Verbs = CLASSIC,
    ) -> None:
        """`at` is a URL, or a connection of its own.

        `broke` is told at once, and `resumed` when Redis has confirmed that all is subscribed again.
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
        """Subscribe to a channel nobody else uses: a connection without any cannot be read from.

        Raises GoneForGood, RedisError or OSError.
        """
        self._own_channel = own_channel
        try:
            await self._subscribe_to_all()
        except (RedisError, OSError) as problem:
            raise gone_for_good(problem, f"SUBSCRIBE {own_channel!r}") or problem from None
        self._reading = asyncio.create_task(self._read())

    async def subscribe(self, channel: str) -> None:
        """Returns when Redis has confirmed it: from then on every message of the channel arrives."""
        async with self._changing:
            confirmed = self._confirming[channel] = asyncio.get_running_loop().create_future()
            self._channels[channel] = None
            with contextlib.suppress(RedisError, OSError):  # whoever reads sees that too, and subscribes to all again
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
        except Exception as problem:  # noqa: BLE001 - whatever it was, a gateway that hears nothing must not go on
            self._failed(problem)

    async def _read_on(self) -> None:
        while True:
            self._take(await self._next())

    async def _next(self) -> list[bytes]:
        reply: list[bytes] = await self._link.connection.read_response(disable_decoding=True, timeout=math.inf)
        return reply

    def _take(self, reply: list[bytes]) -> None:
        kind, channel, told = reply
        if kind == self._verbs.message:
            if not self._batch:
                # Reading goes on without a pause while anything has arrived: then this is called, and has all of it.
                asyncio.get_running_loop().call_soon(self._hand_over)
            self._batch.append((channel.decode(), told))
        elif kind == self._verbs.subscribed:
            confirmed = self._confirming.pop(channel.decode(), None)
            if confirmed is not None and not confirmed.done():  # else whoever waited has given up
                confirmed.set_result(None)

    def _hand_over(self) -> None:
        batch, self._batch = self._batch, []
        try:
            if batch:  # else handed over already, when the connection broke
                self._deliver(batch)
        except Exception as problem:  # noqa: BLE001 - a gateway that delivers no more must not look like silence
            self._failed(problem)

    async def _come_back(self, problem: Exception) -> None:
        """Subscribe to everything on a new connection; raises when Redis stays away, or will not have it."""
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
                except (RedisError, OSError) as again:
                    problem = again
        self._resumed()

    async def _subscribe_to_all(self) -> None:
        """Returns when Redis has confirmed it."""
        await self._link.ready()
        # One by one, as channels of several slots must be; its own channel last: when that is confirmed, so are the
        # rooms.
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
