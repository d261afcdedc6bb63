"""Short time slices from Linux's scheduler, for the driver's processes, whose delays are part of every latency.

Processes that want the same core get equal shares of it, in slices. One that asks for short slices gets no larger
share, but it waits less before each slice, so that the driver is on time although others are busy on its core.

Source: Linux, Documentation/scheduler/sched-eevdf.rst; kernel/sched/syscalls.c (`sched_runtime` of SCHED_OTHER, 6.12).
"""

from __future__ import annotations

import ctypes
import os
import platform
import struct
import sys

SLICE_NS = 100_000  # the shortest that Linux gives; 2,800,000 is usual on two cores
SCHED_SETATTR = {"x86_64": 314, "aarch64": 274}  # the number of the system call, which older C libraries do not have
SCHED_OTHER = 0
# struct sched_attr: size, policy, flags, nice, priority, runtime, deadline, period
ATTRIBUTES = struct.Struct("IIQiIQQQ")


def ask_for_short_slices() -> bool:
    """Ask for the calling thread, and return whether the kernel accepted.

    Linux before 6.12 accepts too, and ignores it. A thread that was given another policy, as by `chrt`, keeps it, and
    nothing is asked.
    """
    number = SCHED_SETATTR.get(platform.machine())
    if sys.platform != "linux" or number is None:
        return False
    if os.sched_getscheduler(0) != SCHED_OTHER:
        return False
    attributes = ATTRIBUTES.pack(ATTRIBUTES.size, SCHED_OTHER, 0, os.nice(0), 0, SLICE_NS, 0, 0)
    answer: int = ctypes.CDLL(None).syscall(number, 0, attributes, 0)
    return answer == 0
