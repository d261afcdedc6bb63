"""Compares the clocks of the Locust workers' hosts with this host's clock, before and after each phase."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

import gevent
from gevent.event import AsyncResult

from harness.ipc import messages as msg
from harness.measure import host_clock
from harness.measure.clock_offset import (
    ANSWER_TIMEOUT_S,
    EXCHANGES,
    PAUSE_S,
    Exchange,
    HostClock,
    Offset,
    bound_throughout_ns,
    offset_of,
)


class WorkerClocks:
    """Asks each worker for its time. A worker on this host's clock is recognized by its answer and asked only once."""

    def __init__(self, ask: Callable[[str], None]) -> None:
        """`ask` sends msg.AskTime to a worker, by its id; the caller passes the answer to `hear`."""
        self._ask = ask
        self._answers: dict[str, AsyncResult] = {}
        self._offsets: dict[str, Offset] = {}
        self._bounds_ns: dict[str, int] = {}

    def compare(self, workers: Iterable[str]) -> dict[str, int]:
        """Block until all have answered, and return by how many ns each clock is ahead. Raises TimeoutError.

        A second call also bounds how wrong the first offset had become by then.
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
                reading, heard_ns = answer.get(timeout=ANSWER_TIMEOUT_S)
            except gevent.Timeout as late:
                raise TimeoutError(f"a Locust worker did not report its time within {ANSWER_TIMEOUT_S:g} s") from late
            if reading.clock == host_clock.identity():
                return Offset()
            exchanges.append(Exchange(asked_ns, reading.host_ns, heard_ns))
            gevent.sleep(PAUSE_S)
        return offset_of(exchanges)

    def hear(self, worker: str, reading: msg.Time, heard_ns: int) -> None:
        """Take a worker's answer, which arrived at `heard_ns`."""
        if (answer := self._answers.get(worker)) is not None:
            answer.set((reading, heard_ns))

    def host_clock(self, worker: str, rank: int) -> HostClock | None:
        """Return the offset of that worker's clock and its bound; None if the worker uses this host's clock."""
        offset = self._offsets.get(worker, Offset())
        if offset == Offset():
            return None
        return HostClock(worker=rank, ahead_ms=offset.ahead_ns / 1e6, bound_ms=self._bounds_ns[worker] / 1e6)
