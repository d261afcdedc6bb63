"""A connection through a proxy, cut by pausing the proxy: real sockets and a real process."""

from __future__ import annotations

import contextlib
import socket
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.services.ports import free_ports
from harness.services.processes import spawn
from harness.services.proxy import Proxy, start_proxy

SILENCE_S = 0.3


@pytest.fixture
def echo_port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def echo(connection: socket.socket) -> None:
            with connection, contextlib.suppress(ConnectionError):
                while data := connection.recv(1 << 16):
                    connection.sendall(data)

        def accept() -> None:
            with contextlib.suppress(OSError):  # closed at the end of the test
                while True:
                    connection, _ = server.accept()
                    threading.Thread(target=echo, args=(connection,), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        yield int(server.getsockname()[1])
        server.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def way(echo_port: int, tmp_path: Path) -> Iterator[tuple[Proxy, int]]:
    (port,) = free_ports(1)
    proxy = start_proxy("the proxy", [(port, echo_port)], tmp_path / "proxy.log")
    yield proxy, port
    proxy.child.kill()


def test_bytes_pass_both_ways_unchanged(way: tuple[Proxy, int]) -> None:
    sent = bytes(range(256)) * 1000
    with socket.create_connection(("127.0.0.1", way[1]), timeout=10) as connection:
        threading.Thread(target=connection.sendall, args=(sent,)).start()
        got = b""
        while len(got) < len(sent):
            got += connection.recv(1 << 16)
    assert got == sent


def test_while_it_stands_still_nothing_passes_and_nothing_breaks(way: tuple[Proxy, int]) -> None:
    proxy, port = way
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(b"before")
        assert connection.recv(100) == b"before"
        proxy.child.pause()
        connection.sendall(b"meanwhile")
        connection.settimeout(SILENCE_S)
        with pytest.raises(TimeoutError):
            connection.recv(100)
        proxy.child.resume()
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
        proxy.child.kill()


SAYS_HOW_IT_ENDED = """
import socket, sys
with socket.create_connection(("127.0.0.1", int(sys.argv[1]))) as connection:
    connection.sendall(b"hello")
    print(connection.recv(100), flush=True)
    try:
        print(connection.recv(100))
    except ConnectionResetError:
        print("reset")
"""


def test_the_connections_of_one_client_are_closed_with_a_reset_and_no_others(
    way: tuple[Proxy, int], tmp_path: Path
) -> None:
    proxy, port = way
    client = spawn("a client", [sys.executable, "-c", SAYS_HOW_IT_ENDED, str(port)], tmp_path / "client.log")
    with socket.create_connection(("127.0.0.1", port), timeout=10) as other:
        while client.is_running and b"hello" not in client.log.read_bytes():
            time.sleep(0.01)
        assert proxy.reset(client.pid) == 1
        assert client.process.wait(10) == 0
        assert client.log.read_text().split() == ["b'hello'", "reset"]
        other.sendall(b"still here")
        assert other.recv(100) == b"still here"


def test_who_has_no_connection_has_none_closed(way: tuple[Proxy, int], tmp_path: Path) -> None:
    proxy, _port = way
    client = spawn("a client", [sys.executable, "-c", "import time; time.sleep(600)"], tmp_path / "client.log")
    client.pause()
    assert proxy.reset(client.pid) == 0
    client.kill()
