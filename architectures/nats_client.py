"""One connection to NATS: what is published is acked by the server, what is heard is handed over in batches."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import Callable, Sequence

import nats
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.errors import Error, SlowConsumerError

from architectures.in_turn import InTurn
from architectures.interface import Refused
from architectures.nats_address import NatsAddress

ANSWER_MAX_S = 5.0
COME_BACK_EVERY_S = 0.05
AWAY_MAX_S = 30.0  # a NATS that is away for longer is gone for good


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
        self._messages: InTurn[tuple[str, bytes]] = InTurn("NATS", self._publish_all)
        self._closing = False

    async def open(self) -> None:
        """Raises nats.errors.Error or OSError if nobody answers."""
        self._client = await nats.connect(
            self._address.servers,
            **self._address.proof,
            name=self._name,
            connect_timeout=ANSWER_MAX_S,
            reconnect_time_wait=COME_BACK_EVERY_S,
            max_reconnect_attempts=round(AWAY_MAX_S / COME_BACK_EVERY_S),
            error_cb=self._on_problem,
            closed_cb=self._on_closed,
        )
        self._own = self._client.new_inbox()
        await self._client.subscribe(self._own, cb=self._on_echo)

    async def _on_problem(self, problem: Exception) -> None:
        # The client has thrown messages away: a gateway that does so must not look like a quiet room. Other problems
        # are those of a connection that it is mending.
        if isinstance(problem, SlowConsumerError):
            self._failed(problem)

    async def _on_closed(self) -> None:
        if not self._closing:
            self._failed(ConnectionError(f"NATS did not come back within {AWAY_MAX_S:g} s"))

    async def publish(self, subject: str, payload: bytes) -> None:
        """Returns when the server has it; raises Refused if that cannot be said, or too much is waiting."""
        await self._messages.send((subject, payload))

    async def _publish_all(self, messages: Sequence[tuple[str, bytes]]) -> list[Refused | None]:
        try:
            for subject, payload in messages:
                await self._client.publish(subject, payload)
            await self._passed()
        except (Error, OSError) as problem:
            return [Refused(f"NATS did not accept the message: {problem or type(problem).__name__}")] * len(messages)
        return [None] * len(messages)

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
