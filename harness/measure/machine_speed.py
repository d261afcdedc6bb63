"""How slow the machine is at this moment: the CPU time of a fixed piece of work."""

from __future__ import annotations

import hashlib
import json
import time
from statistics import median

REPETITIONS = 300  # about a quarter of a second
BUFFER = bytes(range(256)) * 2_048
MESSAGES = [{"room": f"room {number}", "id": number, "text": "hello " * 10} for number in range(400)]


def slowness_ms() -> float:
    """Return the CPU time of the work, in milliseconds: the median of its repetitions.

    The work is a mix of what gateways do: interpreted code, copying, encoding, and plain computation. It is only
    compared with itself on the same machine.
    """
    return median(_work_ns() for _ in range(REPETITIONS)) / 1e6


def _work_ns() -> int:
    began_ns = time.thread_time_ns()
    hashlib.sha256(BUFFER).digest()
    decoded = json.loads(json.dumps(MESSAGES))
    by_room: dict[str, list[int]] = {}
    for message in decoded:
        by_room.setdefault(message["room"], []).append(len(message["text"]) + message["id"])
    sorted(by_room.items(), key=lambda item: item[1])
    return time.thread_time_ns() - began_ns
