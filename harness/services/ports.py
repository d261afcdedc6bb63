"""Free loopback ports."""

from __future__ import annotations

import errno
import random
import socket
import sys

from harness.core.errors import ServiceFailed

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
        if is_free(port, host) and _reserve(port, host):
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
    try:
        _bound(port, host).close()
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


def _reserve(port: int, host: str) -> bool:
    """Keep it until this process ends: before somebody here listens on it, and between two who do.

    From other runs of chatbench by a name of Linux's abstract socket namespace: nothing on disk, and gone with this
    process however it ends. From everybody else by a socket that is bound to it and never listens: the kernel gives the
    port to no connection then, while a service, which allows reuse, can listen beside it.
    """
    if sys.platform != "linux":
        return True
    name = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        name.bind(f"\0chatbench-port-{port}")
        held = _bound(port, host)
    except OSError:
        name.close()
        return False
    _reservations.extend((name, held))
    return True


def _bound(port: int, host: str) -> socket.socket:
    """A socket that is bound there as a service's would be; raises OSError where somebody listens."""
    bound = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((host, port))
    except BaseException:
        bound.close()
        raise
    return bound
