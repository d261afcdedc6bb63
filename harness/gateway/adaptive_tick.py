"""How long what is said in a room may wait for what follows, so that one write carries both."""

from __future__ import annotations

import asyncio
import os
import sys
import time

from harness.gateway.rooms import Rooms

# Chosen by `python -m benchmarks.fanout`; its figures are in docs/performance.md.
TICK_MIN_S = 0.002
TICK_MAX_S = 0.050
# Of a core, which share the gateway's loop takes.
EASY = 0.5
FULL = 0.7
AIM = (EASY + FULL) / 2
CHECK_S = 0.1


def next_tick_s(tick_s: float, busy: float) -> float:
    """The tick that follows on this one, after the loop was busy for that share of the time.

    Writes are most of what a busy gateway does, and there is one a tick: so the tick grows in proportion to what is too
    much. Between EASY and FULL it stays as it is.
    """
    if busy > FULL:
        return min(TICK_MAX_S, tick_s * min(busy / AIM, 2.0))
    if busy < EASY:
        return max(TICK_MIN_S, tick_s * max(busy / AIM, 0.5))
    return tick_s


async def adapt(rooms: Rooms) -> None:
    """Set the rooms' tick anew every CHECK_S. Runs until cancelled."""
    rooms.tick_s = TICK_MIN_S
    with ThreadTime() as thread_time:
        began_s, busy_s = time.monotonic(), thread_time.busy_s()
        while True:
            await asyncio.sleep(CHECK_S)
            before_s, before_busy_s = began_s, busy_s
            began_s, busy_s = time.monotonic(), thread_time.busy_s()
            rooms.tick_s = next_tick_s(rooms.tick_s, (busy_s - before_busy_s) / (began_s - before_s))


class ThreadTime:
    """The time for which the thread that made it ran, or, on Linux, would have run if a core had been free.

    A gateway that waits for a core is as full as one that uses it, and slower ticks leave the core to others as well.
    """

    def __enter__(self) -> ThreadTime:
        self._file = os.open("/proc/thread-self/schedstat", os.O_RDONLY) if sys.platform == "linux" else None
        return self

    def __exit__(self, *_problem: object) -> None:
        if self._file is not None:
            os.close(self._file)

    def busy_s(self) -> float:
        if self._file is None:
            return time.thread_time()
        # "ran, waited, time slices", the first two in ns (the kernel's Documentation/scheduler/sched-stats.rst).
        ran_ns, waited_ns, _slices = os.pread(self._file, 100, 0).split()
        return (int(ran_ns) + int(waited_ns)) / 1e9
