"""Free loopback ports."""

from __future__ import annotations

import random
import socket

from harness.errors import ServiceFailed

# Below the range the kernel takes for outgoing connections (32768-60999 on Linux), so that none of a run's own
# thousands of sockets can take a port between its choice here and its use by a service.
FIRST, LAST = 20_000, 32_000
TRIES = 200


def free_ports(count: int) -> list[int]:
    """That many different ports nobody listens on now; raises ServiceFailed when there are none."""
    chosen: list[int] = []
    for port in random.sample(range(FIRST, LAST), TRIES):
        if len(chosen) == count:
            break
        if is_free(port):
            chosen.append(port)
    if len(chosen) < count:
        raise ServiceFailed(
            f"found only {len(chosen)} of {count} free ports between {FIRST} and {LAST}; close what uses them"
        )
    return chosen


def is_free(port: int) -> bool:
    """Whether nobody listens there now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
