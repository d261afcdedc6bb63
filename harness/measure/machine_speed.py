"""How slow the machine is while something is measured: the CPU time of a fixed piece of work, done beside it.

The same program takes up to twice the CPU time when its core has been asleep, or when other virtual machines use the
same caches. That changes within seconds and nothing inside a virtual machine tells, so this program does a small piece
of work a hundred times a second, and sleeps in between like a gateway. `python -m harness.measure.machine_speed` does
so until it is killed.
"""

from __future__ import annotations

import json
import time

INTERVAL_S = 0.01
MESSAGES = [{"room": f"room {number}", "id": number, "text": "hello " * 10} for number in range(20)]


def slowness_ms(cpu_s: float | None, duration_s: float) -> float | None:
    """Return the CPU time of one piece of work, in milliseconds, if this program used `cpu_s` in that time.

    It is only compared with itself on the same machine. None: it did not run.
    """
    return None if cpu_s is None else 1_000 * cpu_s * INTERVAL_S / duration_s


def main() -> None:
    due_s = time.monotonic()
    while True:
        due_s += INTERVAL_S
        time.sleep(max(0.0, due_s - time.monotonic()))
        json.loads(json.dumps(MESSAGES))


if __name__ == "__main__":
    main()
