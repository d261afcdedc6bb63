"""The adaptive tick: how long a message may wait for later ones of its room, so that one write carries them all."""

from __future__ import annotations

import asyncio
import os
import sys
import time

from harness.gateway.rooms import Rooms

# Chosen with `python -m benchmarks.fanout`; the figures are in docs/performance.md.
TICK_MIN_S = 0.002
TICK_MAX_S = 0.050
# Shares of a core that the gateway's event loop uses.
EASY = 0.5
FULL = 0.7
AIM = (EASY + FULL) / 2
CHECK_S = 0.1


def next_tick_s(tick_s: float, busy: float) -> float:
    """Return the next tick in seconds, after the event loop was busy for the share `busy` of the time.

    A busy gateway spends most of its time on writes, and there is one write per tick. So the tick grows in proportion
    to the overload. Between EASY and FULL it does not change.
    """
    if busy > FULL:
        return min(TICK_MAX_S, tick_s * min(busy / AIM, 2.0))
    if busy < EASY:
        return max(TICK_MIN_S, tick_s * max(busy / AIM, 0.5))
    return tick_s


async def adapt(rooms: Rooms) -> None:
    """Adapt the rooms' tick every CHECK_S. Runs until cancelled."""
    rooms.tick_s = TICK_MIN_S
    with ThreadTime() as thread_time:
        began_s, busy_s = time.monotonic(), thread_time.busy_s()
        while True:
            await asyncio.sleep(CHECK_S)
            before_s, before_busy_s = began_s, busy_s
            began_s, busy_s = time.monotonic(), thread_time.busy_s()
            rooms.tick_s = next_tick_s(rooms.tick_s, (busy_s - before_busy_s) / (began_s - before_s))


class ThreadTime:
    """The CPU time of the current thread; on Linux, also the time for which it was ready but had to wait for a core.

    A gateway that waits for a core is as overloaded as one that uses it, and a longer tick also frees the core for
    other processes.
    """

    def __enter__(self) -> ThreadTime:
        self._file = os.open("/proc/thread-self/schedstat", os.O_RDONLY) if sys.platform == "linux" else None
        return self

    def __exit__(self, *_problem: object) -> None:
        if self._file is not None:
            os.close(self._file)

    def busy_s(self) -> float:
        """Return the time so far, in seconds."""
        if self._file is None:
            return time.thread_time()
        # "ran, waited, time slices", the first two in ns (the kernel's Documentation/scheduler/sched-stats.rst).
        ran_ns, waited_ns, _slices = os.pread(self._file, 100, 0).split()
        return (int(ran_ns) + int(waited_ns)) / 1e9
