"""A way through a proxy, cut by letting the proxy stand still: real sockets, a real process."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.services.ports import free_ports
from harness.services.proxy import start_proxy
from harness.services.supervise import Child

SILENCE_S = 0.3


@pytest.fixture
def echo_port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def echo() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return  # closed at the end of the test
                with connection:
                    while data := connection.recv(1 << 16):
                        connection.sendall(data)

        threading.Thread(target=echo, daemon=True).start()
        yield int(server.getsockname()[1])
        server.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def way(echo_port: int, tmp_path: Path) -> Iterator[tuple[Child, int]]:
    (port,) = free_ports(1)
    proxy = start_proxy("the proxy", [(port, echo_port)], tmp_path / "proxy.log")
    yield proxy, port
    proxy.kill()


def test_bytes_pass_both_ways_unchanged(way: tuple[Child, int]) -> None:
    sent = bytes(range(256)) * 1000
    with socket.create_connection(("127.0.0.1", way[1]), timeout=10) as connection:
        threading.Thread(target=connection.sendall, args=(sent,)).start()
        got = b""
        while len(got) < len(sent):
            got += connection.recv(1 << 16)
    assert got == sent


def test_while_it_stands_still_nothing_passes_and_nothing_breaks(way: tuple[Child, int]) -> None:
    proxy, port = way
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(b"before")
        assert connection.recv(100) == b"before"
        proxy.pause()
        connection.sendall(b"meanwhile")
        connection.settimeout(SILENCE_S)
        with pytest.raises(TimeoutError):
            connection.recv(100)
        proxy.resume()
        connection.settimeout(10)
        assert connection.recv(100) == b"meanwhile"


def test_where_nobody_listens_behind_it_the_connection_breaks(tmp_path: Path) -> None:
    nobody, port = free_ports(2)
    proxy = start_proxy("the proxy", [(port, nobody)], tmp_path / "proxy.log")
    try:
        with (
            contextlib.suppress(ConnectionError),
            socket.create_connection(("127.0.0.1", port), timeout=10) as connection,
        ):
            assert connection.recv(100) == b"", "it ends, with a reset or without"
    finally:
        proxy.kill()
