"""The clocks of the Locust workers' hosts, compared with this one's before and after each phase."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

import gevent
from gevent.event import AsyncResult

from harness.ipc import coordinator_clock as clock
from harness.ipc import messages as msg
from harness.measure.clock_offset import Exchange, HostClock, Offset, bound_throughout_ns, offset_of

EXCHANGES = 20  # the quickest counts: one in twenty meets no queue on its way
PAUSE_S = 0.005
ANSWER_TIMEOUT_S = 5.0


class WorkerClocks:
    """Asks each worker what time it is. A worker that shares this clock is told by that, and asked no more."""

    def __init__(self, ask: Callable[[str], None]) -> None:
        """`ask` sends msg.AskTime to that worker; its answer is handed to `hear`."""
        self._ask = ask
        self._answers: dict[str, AsyncResult] = {}
        self._offsets: dict[str, Offset] = {}
        self._bounds_ns: dict[str, int] = {}

    def compare(self, workers: Iterable[str]) -> dict[str, int]:
        """Blocks until all have answered; returns by how much each is ahead, in ns. Raises TimeoutError.

        Asked again, it also tells how wrong the last answer had become.
        """
        workers = list(workers)
        asking = [gevent.spawn(self._compare, worker) for worker in workers]
        gevent.joinall(asking, raise_error=True)
        for worker, greenlet in zip(workers, asking, strict=True):
            after: Offset = greenlet.value
            self._bounds_ns[worker] = bound_throughout_ns(self._offsets.get(worker, after), after)
            self._offsets[worker] = after
        return {worker: self._offsets[worker].ahead_ns for worker in workers}

    def _compare(self, worker: str) -> Offset:
        exchanges: list[Exchange] = []
        while len(exchanges) < EXCHANGES:
            answer = self._answers[worker] = AsyncResult()
            asked_ns = time.time_ns()
            self._ask(worker)
            try:
                told, heard_ns = answer.get(timeout=ANSWER_TIMEOUT_S)
            except gevent.Timeout as late:
                raise TimeoutError(
                    f"a Locust worker did not say what time it is within {ANSWER_TIMEOUT_S:g} s"
                ) from late
            if told.clock == clock.identity():
                return Offset()
            exchanges.append(Exchange(asked_ns, told.host_ns, heard_ns))
            gevent.sleep(PAUSE_S)
        return offset_of(exchanges)

    def hear(self, worker: str, told: msg.Time, heard_ns: int) -> None:
        if (answer := self._answers.get(worker)) is not None:
            answer.set((told, heard_ns))

    def seen(self, worker: str, rank: int) -> HostClock | None:
        """What is known of that worker's clock; None: it is this one."""
        offset = self._offsets.get(worker, Offset())
        if offset == Offset():
            return None
        return HostClock(worker=rank, ahead_ms=offset.ahead_ns / 1e6, bound_ms=self._bounds_ns[worker] / 1e6)
