import random
import socket

import pytest

from harness.errors import ServiceFailed
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
