"""One connection to NATS: what is published is acked by the server, what is heard is handed over in batches."""

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
from architectures.clients.send_queue import InTurn
from architectures.interface import GoneForGood, Rejected

ANSWER_MAX_S = 5.0
COME_BACK_EVERY_S = 0.05
AWAY_MAX_S = 30.0  # a NATS that is away for longer is gone for good
PING_EVERY_S = 10  # so that what something in between has forgotten is noticed, and not forgotten
FORBIDDEN = "permissions violation"
# Not "authentication timeout": so says a server that is too busy to let anybody in.
NOT_LET_IN = ("authorization violation", "authentication expired", "authentication revoked")


def gone_for_good(problem: Exception) -> GoneForGood | None:
    """What the user is told of what asking again does not mend; None for what may pass, as a connection that broke."""
    told = str(problem).lower()
    if FORBIDDEN in told:
        return GoneForGood(
            f"NATS forbids its user what is needed ({problem}); give it the right to subjects that begin so"
        )
    if isinstance(problem, AuthorizationError) or any(why in told for why in NOT_LET_IN):
        return GoneForGood(f"NATS does not let its user in ({problem}); use the name and the password it knows")
    if isinstance(problem, ssl.SSLError) and not isinstance(problem, ssl.SSLEOFError | ssl.SSLZeroReturnError):
        return GoneForGood(f"NATS cannot be spoken to over TLS ({problem}); see to its certificate")
    return None


def _rejected(problem: Exception) -> Rejected:
    return Rejected(f"NATS did not accept the message: {problem or type(problem).__name__}")


class NatsConnection:
    """Over nats-py, which comes back by itself when the server does, and then subscribes to everything again."""

    def __init__(
        self,
        url: str,
        name: str,
        deliver: Callable[[Sequence[tuple[str, bytes]]], None],
        failed: Callable[[BaseException], None],
    ) -> None:
        """`deliver` is given batches of (subject, payload)."""
        self._address = NatsAddress.parse(url)
        self._name = name
        self._deliver = deliver
        self._failed = failed
        self._client = Client()
        self._own = ""
        self._numbers = itertools.count()
        self._echoes: dict[int, asyncio.Future[None]] = {}
        self._subscriptions: dict[str, Subscription] = {}
        self._batch: list[tuple[str, bytes]] = []
        self._messages: InTurn[tuple[str, bytes]] = InTurn("NATS", self._publish_all, self._fail)
        self._last_problem: Exception | None = None
        self._gone: asyncio.Future[GoneForGood] = asyncio.get_running_loop().create_future()
        self._closing = False

    async def open(self) -> None:
        """Raises GoneForGood, nats.errors.Error or OSError."""
        opening = asyncio.create_task(self._open())
        either: tuple[asyncio.Future[Any], ...] = (opening, self._gone)
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        if self._gone.done():
            opening.cancel()
            raise self._gone.result()
        try:
            await opening
        except NoServersError as problem:  # which says nothing of why
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
        self._own = self._client.new_inbox()
        await self._client.subscribe(self._own, cb=self._on_echo)
        await self._passed()

    async def _on_problem(self, problem: Exception) -> None:
        # The client has thrown messages away: a gateway that does so must not look like a quiet room. Other problems
        # are those of a connection that it is mending.
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
        """Returns when the server has it; raises Rejected if that cannot be said, or too much is waiting."""
        await self._messages.send((subject, payload))

    async def _publish_all(self, messages: Sequence[tuple[str, bytes]]) -> list[Rejected | None]:
        answers = [await self._publish(subject, payload) for subject, payload in messages]
        try:
            await self._passed()
        except (Error, OSError) as problem:
            answers = [answer or _rejected(problem) for answer in answers]
        if self._gone.done():  # the server has said so before it sent back what was published to oneself
            raise self._gone.result()
        return answers

    async def _publish(self, subject: str, payload: bytes) -> Rejected | None:
        """Why it cannot even be sent, if so."""
        try:
            await self._client.publish(subject, payload)
        except MaxPayloadError:
            most = self._client.max_payload
            return Rejected(f"the message has {len(payload):,} bytes, but NATS takes {most:,} at most (max_payload)")
        except (Error, OSError) as problem:
            return _rejected(problem)
        return None

    async def _passed(self) -> None:
        """Returns when the server has done all it was asked before: it has sent back what was published to oneself.

        nats-py's own `flush` does not tell that: its ping overtakes what waits to be written (2.16).
        """
        number = next(self._numbers)
        echo = self._echoes[number] = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(ANSWER_MAX_S):
                await self._client.publish(self._own, str(number).encode())
                await echo
        finally:
            del self._echoes[number]

    async def _on_echo(self, message: Msg) -> None:
        echo = self._echoes.get(int(message.data))
        if echo is not None and not echo.done():
            echo.set_result(None)

    async def subscribe(self, subject: str) -> None:
        """Returns when the server knows: from then on every message of the subject arrives."""
        self._subscriptions[subject] = await self._client.subscribe(subject, cb=self._on_message)
        while not self._closing:
            with contextlib.suppress(Error, OSError):  # it is away, and will be told when it is back
                await self._passed()
                return
            await asyncio.sleep(COME_BACK_EVERY_S)

    async def unsubscribe(self, subject: str) -> None:
        subscription = self._subscriptions.pop(subject)
        with contextlib.suppress(Error, OSError):  # as in subscribe
            await subscription.unsubscribe()

    async def _on_message(self, message: Msg) -> None:
        if not self._batch:
            # What has arrived comes here message by message without a pause: then this is called, and has all of it.
            asyncio.get_running_loop().call_soon(self._hand_over)
        self._batch.append((message.subject, message.data))

    def _hand_over(self) -> None:
        batch, self._batch = self._batch, []
        try:
            self._deliver(batch)
        except Exception as problem:  # noqa: BLE001 - a gateway that delivers no more must not look like silence
            self._failed(problem)

    async def close(self) -> None:
        """Send what is waiting, then disconnect."""
        await self._messages.close()
        self._closing = True
        await self._client.close()
