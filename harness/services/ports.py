"""Free loopback ports."""

from __future__ import annotations

import errno
import random
import socket
import sys

from harness.errors import ServiceFailed

# Below the range the kernel takes for outgoing connections (32768-60999 on Linux), so that none of a run's own
# thousands of sockets can take a port between its choice here and its use by a service.
FIRST, LAST = 20_000, 32_000
TRIES = 200


# Held until this process ends: see _reserve.
_reservations: list[socket.socket] = []


def free_ports(count: int, host: str = "127.0.0.1") -> list[int]:
    """That many different ports nobody listens on now; raises ServiceFailed when there are none."""
    chosen: list[int] = []
    for port in random.sample(range(FIRST, LAST), TRIES):
        if len(chosen) == count:
            break
        if is_free(port, host) and _reserve(port):
            chosen.append(port)
    if len(chosen) < count:
        raise ServiceFailed(
            f"found only {len(chosen)} of {count} free ports between {FIRST} and {LAST}; close what uses them"
        )
    return chosen


def is_free(port: int, host: str = "127.0.0.1") -> bool:
    """Whether nobody listens there now."""
    return cannot_listen(port, host) is None


def cannot_listen(port: int, host: str) -> str | None:
    """Why not, and what would do, if nobody can listen there now."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as problem:
            return why_not_there(problem, host)
        except (UnicodeError, TypeError):  # what is too long for a name, or no name at all
            return f"{host[:40]!r} is no name of a host"
    return None


def why_not_there(problem: OSError, host: str) -> str:
    """Why nobody can listen there, and what would do."""
    match problem.errno:
        case errno.EADDRINUSE:
            return "something listens there already; use another port"
        case errno.EACCES:
            return "you may not listen there; use a port of 1024 or more"
        case errno.EADDRNOTAVAIL:
            return f"{host} is no address of this host"
    return f"{host} cannot be listened at: {problem.strerror or problem}"


def _reserve(port: int) -> bool:
    """Keep other runs of chatbench from choosing it before somebody here listens on it, or between two who do.

    By a name of Linux's abstract socket namespace: nothing on disk, and gone with this process however it ends.
    """
    if sys.platform != "linux":
        return True
    name = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        name.bind(f"\0chatbench-port-{port}")
    except OSError:
        name.close()
        return False
    _reservations.append(name)
    return True
