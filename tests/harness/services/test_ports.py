import errno
import os
import random
import socket

import pytest

from harness.core.errors import ServiceFailed
from harness.services import ports


def test_ports_are_different_and_can_be_bound() -> None:
    chosen = ports.free_ports(20)
    assert len(set(chosen)) == 20
    for port in chosen:
        with socket.socket() as one:
            # As every service does: what an earlier one has left in TIME_WAIT is no obstacle.
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            one.bind(("127.0.0.1", port))


def test_a_port_in_use_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        busy = taken.getsockname()[1]
        monkeypatch.setattr(random, "sample", lambda _ports, _count: [busy])
        with pytest.raises(ServiceFailed, match="found only 0 of 1 free ports"):
            ports.free_ports(1)


@pytest.mark.parametrize(
    ("number", "says"),
    [
        (errno.EADDRINUSE, "something listens there already"),
        (errno.EACCES, "you may not listen there; use a port of 1024 or more"),
        (errno.EADDRNOTAVAIL, "192.0.2.1 is no address of this host"),
    ],
)
def test_why_nobody_can_listen_somewhere_is_told_as_it_is(number: int, says: str) -> None:
    assert says in ports.why_not_there(OSError(number, os.strerror(number)), "192.0.2.1")


def test_nobody_can_listen_where_somebody_does_or_where_nobody_is() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        assert "listens there already" in (ports.cannot_listen(taken.getsockname()[1], "127.0.0.1") or "")
    assert "no address of this host" in (ports.cannot_listen(9001, "192.0.2.1") or "")
    assert "is no name of a host" in (ports.cannot_listen(9001, "ü" * 80) or "")


def test_a_port_is_held_for_the_service_also_while_it_is_dead() -> None:
    """Nobody's connection gets it meanwhile; connections that the dead one has left are no obstacle."""
    (port,) = ports.free_ports(1)
    for _start in range(2):
        with socket.socket() as service:
            service.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            service.bind(("127.0.0.1", port))
            service.listen()
            client = socket.create_connection(("127.0.0.1", port))
            served, _ = service.accept()
        with socket.socket() as stranger, pytest.raises(OSError, match="in use"):
            stranger.bind(("127.0.0.1", port))
    client.close()
    served.close()
