"""A connection to NATS that confirms published messages, and delivers received messages in batches."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import ssl
from collections.abc import Callable, Sequence
from typing import Any

import nats
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.errors import AuthorizationError, Error, MaxPayloadError, NoServersError, SlowConsumerError

from architectures.clients.nats_address import NatsAddress
from architectures.clients.send_queue import SendQueue
from architectures.interface import GoneForGood, Rejected

ANSWER_MAX_S = 5.0
COME_BACK_EVERY_S = 0.05
AWAY_MAX_S = 30.0  # a NATS that is away for longer counts as gone for good
PING_EVERY_S = 10  # detects connections that a firewall has dropped, and keeps it from dropping idle ones
FORBIDDEN = "permissions violation"
# "authentication timeout" is not included: a busy server sends it too.
NOT_LET_IN = ("authorization violation", "authentication expired", "authentication revoked")


def gone_for_good(problem: Exception) -> GoneForGood | None:
    """Return the error for the user if a retry cannot help; None for temporary errors, such as a broken connection."""
    text = str(problem).lower()
    if FORBIDDEN in text:
        return GoneForGood(
            f"NATS forbids its user the required access ({problem}); grant it all subjects with this prefix"
        )
    if isinstance(problem, AuthorizationError) or any(why in text for why in NOT_LET_IN):
        return GoneForGood(f"NATS does not let its user in ({problem}); check the user name and the password")
    if isinstance(problem, ssl.SSLError) and not isinstance(problem, ssl.SSLEOFError | ssl.SSLZeroReturnError):
        return GoneForGood(f"NATS cannot be reached over TLS ({problem}); check its certificate")
    return None


def _rejected(problem: Exception) -> Rejected:
    return Rejected(f"NATS did not accept the message: {problem or type(problem).__name__}")


class NatsConnection:
    """A connection of nats-py, which reconnects by itself and then restores all subscriptions."""

    def __init__(
        self,
        url: str,
        name: str,
        deliver: Callable[[Sequence[tuple[str, bytes]]], None],
        failed: Callable[[BaseException], None],
    ) -> None:
        """`deliver` is called with batches of (subject, payload)."""
        self._address = NatsAddress.parse(url)
        self._name = name
        self._deliver = deliver
        self._failed = failed
        self._client = Client()
        self._inbox = ""
        self._numbers = itertools.count()
        self._echoes: dict[int, asyncio.Future[None]] = {}
        self._subscriptions: dict[str, Subscription] = {}
        self._batch: list[tuple[str, bytes]] = []
        self._messages: SendQueue[tuple[str, bytes]] = SendQueue("NATS", self._publish_all, self._fail)
        self._last_problem: Exception | None = None
        self._gone: asyncio.Future[GoneForGood] = asyncio.get_running_loop().create_future()
        self._closing = False

    async def open(self) -> None:
        """Connect; raises GoneForGood, nats.errors.Error or OSError."""
        opening = asyncio.create_task(self._open())
        either: tuple[asyncio.Future[Any], ...] = (opening, self._gone)
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        if self._gone.done():
            opening.cancel()
            raise self._gone.result()
        try:
            await opening
        except NoServersError as problem:  # it does not contain the reason
            raise self._last_problem or problem from None

    async def _open(self) -> None:
        self._client = await nats.connect(
            self._address.servers,
            **self._address.proof,
            name=self._name,
            connect_timeout=ANSWER_MAX_S,
            reconnect_time_wait=COME_BACK_EVERY_S,
            max_reconnect_attempts=round(AWAY_MAX_S / COME_BACK_EVERY_S),
            ping_interval=PING_EVERY_S,
            error_cb=self._on_problem,
            closed_cb=self._on_closed,
        )
        self._inbox = self._client.new_inbox()
        await self._client.subscribe(self._inbox, cb=self._on_echo)
        await self._flush()

    async def _on_problem(self, problem: Exception) -> None:
        # A slow consumer has dropped messages, which must not look like a quiet room. nats-py recovers from the other
        # problems by itself.
        self._last_problem = problem
        if isinstance(problem, SlowConsumerError):
            self._fail(problem)
        elif (for_good := gone_for_good(problem)) is not None:
            self._fail(for_good)

    def _fail(self, problem: BaseException) -> None:
        if isinstance(problem, GoneForGood) and not self._gone.done():
            self._gone.set_result(problem)
        self._failed(problem)

    async def _on_closed(self) -> None:
        if not self._closing:
            why = self._client.last_error or self._last_problem
            away = ConnectionError(f"NATS did not come back within {AWAY_MAX_S:g} s: {why}")
            self._fail(away if why is None else gone_for_good(why) or away)

    async def publish(self, subject: str, payload: bytes) -> None:
        """Return when the server has the message; raises Rejected if that is not known, or if the queue is full."""
        await self._messages.send((subject, payload))

    async def _publish_all(self, messages: Sequence[tuple[str, bytes]]) -> list[Rejected | None]:
        answers = [await self._publish(subject, payload) for subject, payload in messages]
        try:
            await self._flush()
        except (Error, OSError) as problem:
            answers = [answer or _rejected(problem) for answer in answers]
        if self._gone.done():  # the server reports a denied message before it returns the echo
            raise self._gone.result()
        return answers

    async def _publish(self, subject: str, payload: bytes) -> Rejected | None:
        """Hand the message to nats-py; returns the reason if it cannot be sent."""
        try:
            await self._client.publish(subject, payload)
        except MaxPayloadError:
            most = self._client.max_payload
            return Rejected(f"the message has {len(payload):,} bytes, but NATS takes {most:,} at most (max_payload)")
        except (Error, OSError) as problem:
            return _rejected(problem)
        return None

    async def _flush(self) -> None:
        """Wait until the server has handled everything sent before: publish to the own inbox, and wait for the echo.

        nats-py's own `flush` does not ensure this, because its ping overtakes data that waits to be written (2.16).
        """
        number = next(self._numbers)
        echo = self._echoes[number] = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(ANSWER_MAX_S):
                await self._client.publish(self._inbox, str(number).encode())
                await echo
        finally:
            del self._echoes[number]

    async def _on_echo(self, message: Msg) -> None:
        echo = self._echoes.get(int(message.data))
        if echo is not None and not echo.done():
            echo.set_result(None)

    async def subscribe(self, subject: str) -> None:
        """Subscribe; every message published after the return arrives. Waits while NATS is away."""
        self._subscriptions[subject] = await self._client.subscribe(subject, cb=self._on_message)
        while not self._closing:
            with contextlib.suppress(Error, OSError):  # NATS is away; nats-py subscribes when it is back
                await self._flush()
                return
            await asyncio.sleep(COME_BACK_EVERY_S)

    async def unsubscribe(self, subject: str) -> None:
        subscription = self._subscriptions.pop(subject)
        with contextlib.suppress(Error, OSError):  # as in subscribe
            await subscription.unsubscribe()

    async def _on_message(self, message: Msg) -> None:
        if not self._batch:
            # nats-py calls this for each message that has arrived, without a pause. The loop runs _hand_over after
            # them, so that it gets all of them.
            asyncio.get_running_loop().call_soon(self._hand_over)
        self._batch.append((message.subject, message.data))

    def _hand_over(self) -> None:
        batch, self._batch = self._batch, []
        try:
            self._deliver(batch)
        except Exception as problem:  # noqa: BLE001 - a gateway that stops delivering must not look like a quiet room
            self._failed(problem)

    async def close(self) -> None:
        """Send what is waiting, then disconnect."""
        await self._messages.close()
        self._closing = True
        await self._client.close()
