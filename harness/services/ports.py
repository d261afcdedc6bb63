"""Free ports on this host, for the services of a run."""

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


# Sockets that hold chosen ports until this process ends: see _reserve.
_reservations: list[socket.socket] = []


def free_ports(count: int, host: str = "127.0.0.1") -> list[int]:
    """Choose so many different ports that are free and stay this process's; raises ServiceFailed if there are fewer."""
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
    """Whether nothing listens there now."""
    return cannot_listen(port, host) is None


def cannot_listen(port: int, host: str) -> str | None:
    """Why it is impossible to listen there now, and what would work; None if it is possible."""
    try:
        _bound(port, host).close()
    except OSError as problem:
        return why_not_there(problem, host)
    except (UnicodeError, TypeError):  # the name is too long, or not a name at all
        return f"{host[:40]!r} is no name of a host"
    return None


def why_not_there(problem: OSError, host: str) -> str:
    """Why it was impossible to listen there, and what would work."""
    match problem.errno:
        case errno.EADDRINUSE:
            return "something listens there already; use another port"
        case errno.EACCES:
            return "you may not listen there; use a port of 1024 or more"
        case errno.EADDRNOTAVAIL:
            return f"{host} is no address of this host"
    return f"{host} cannot be listened at: {problem.strerror or problem}"


def _reserve(port: int, host: str) -> bool:
    """Reserve the port until this process ends, also while no service of this run listens on it.

    A name in Linux's abstract socket namespace keeps it from other runs of chatbench: it is not on disk, and vanishes
    with this process however that ends. A socket that is bound to the port and never listens keeps it from everybody
    else: the kernel then gives the port to no connection, while a service, which allows reuse, can listen beside it.
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
    """A socket that is bound there like a service's; raises OSError if something listens there."""
    bound = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((host, port))
    except BaseException:
        bound.close()
        raise
    return bound
