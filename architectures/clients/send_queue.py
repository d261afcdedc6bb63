"""What is to be sent waits its turn and goes out in batches, for clients whose backend answers a batch at once."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from architectures.interface import Rejected

BATCH_MAX = 500
WAITING_MAX = 10_000

Item = TypeVar("Item")


class InTurn(Generic[Item]):
    """Hands over what waits, in the order of the calls of `send`, as many at once as have gathered."""

    def __init__(
        self,
        backend: str,
        hand_over: Callable[[Sequence[Item]], Awaitable[Sequence[Rejected | None]]],
        failed: Callable[[BaseException], None],
    ) -> None:
        """`hand_over` returns of each, why it was refused, if it was; what it raises, `failed` is told.

        `backend` is its name, for people.
        """
        self._backend = backend
        self._hand_over = hand_over
        self._failed = failed
        self._waiting: asyncio.Queue[tuple[Item, asyncio.Future[None]]] = asyncio.Queue(WAITING_MAX)
        self._sending = asyncio.create_task(self._send_all())

    async def send(self, item: Item) -> None:
        """Returns when the backend has taken it; raises Rejected if it did not, or too much is waiting."""
        await self.put(item)

    def put(self, item: Item) -> asyncio.Future[None]:
        """As send, for who has more to put behind it at once."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        try:
            self._waiting.put_nowait((item, done))
        except asyncio.QueueFull as full:
            raise Rejected(f"the publisher's queue is full: {self._backend} is slower than the load") from full
        return done

    async def _send_all(self) -> None:
        while True:
            batch = [await self._waiting.get()]
            while len(batch) < BATCH_MAX and not self._waiting.empty():
                batch.append(self._waiting.get_nowait())
            answers: Sequence[Rejected | None]
            try:
                answers = await self._hand_over([item for item, _done in batch])
            except Exception as problem:  # noqa: BLE001 - whatever it was, nobody may wait for ever for an answer
                self._failed(problem)
                answers = [Rejected(f"{self._backend} did not accept the message: {problem}")] * len(batch)
            for (_item, done), refused in zip(batch, answers, strict=True):
                self._waiting.task_done()
                if done.done():  # its sender is gone
                    continue
                if refused is None:
                    done.set_result(None)
                else:
                    done.set_exception(refused)

    async def close(self) -> None:
        """Send what is waiting, then stop."""
        await self._waiting.join()
        self._sending.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._sending
