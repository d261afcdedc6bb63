"""A queue that sends items in order and in batches, for backends that answer a whole batch at once."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from architectures.interface import Rejected

BATCH_MAX = 500
WAITING_MAX = 10_000

Item = TypeVar("Item")


class SendQueue(Generic[Item]):
    """Hands over the waiting items in the order of the calls of `send`, in batches of at most BATCH_MAX."""

    def __init__(
        self,
        backend: str,
        hand_over: Callable[[Sequence[Item]], Awaitable[Sequence[Rejected | None]]],
        failed: Callable[[BaseException], None],
    ) -> None:
        """`hand_over` returns for each item the reason if it was refused; `failed` is called with what it raises.

        `backend` is the name of the backend, for messages.
        """
        self._backend = backend
        self._hand_over = hand_over
        self._failed = failed
        self._waiting: asyncio.Queue[tuple[Item, asyncio.Future[None]]] = asyncio.Queue(WAITING_MAX)
        self._sending = asyncio.create_task(self._send_all())

    async def send(self, item: Item) -> None:
        """Return when the backend has accepted the item; raises Rejected if it did not, or if the queue is full."""
        await self.put(item)

    def put(self, item: Item) -> asyncio.Future[None]:
        """Queue an item and return the future of its answer, so that more items can be queued right behind it."""
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
            except Exception as problem:  # noqa: BLE001 - no sender may wait for ever for an answer
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
