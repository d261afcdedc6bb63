"""One end of a message channel, with blocking calls. Under gevent a call blocks only its own greenlet."""

from __future__ import annotations

import socket
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Generic

from harness.ipc.messages import Incoming, Struct, Unpacker, pack
from harness.services.processes import Child, spawn


def spawn_peer(
    name: str, module: str, log: Path, incoming: Any, *, stdin: bytes = b"", secrets: Sequence[str] = ()
) -> tuple[Child, Channel[Any]]:
    """Start `python -m module FD`, where FD is the child's end of a channel; return the child and our end.

    `secrets` are environment variables that the child may see, as for `spawn`.
    """
    ours, theirs = socket.socketpair()
    with theirs:
        fd = theirs.fileno()
        child = spawn(name, [sys.executable, "-m", module, str(fd)], log, stdin=stdin, pass_fds=[fd], secrets=secrets)
    return child, Channel(ours, incoming)


class ChannelClosed(Exception):
    """The other process has closed its end, usually because it ended."""


class Channel(Generic[Incoming]):
    """Sends and receives whole messages over a connected socket."""

    def __init__(self, connected: socket.socket, incoming: Any) -> None:
        self._socket = connected
        self._incoming: Unpacker[Incoming] = Unpacker(incoming)
        self._sending = threading.Lock()  # many greenlets of one process send over one socket

    def send(self, message: Struct) -> None:
        """Send the message; raises ChannelClosed if the other end is gone."""
        frame = pack(message)
        try:
            with self._sending:
                self._socket.sendall(frame)
        except OSError as problem:
            raise ChannelClosed(str(problem)) from problem

    def receive(self, timeout_s: float | None = None) -> Incoming | None:
        """Return the next message, or None if none comes in time; raises ChannelClosed if the other end is gone."""
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        while True:
            message = self._incoming.take()
            if message is not None:
                return message
            remaining = None if deadline is None else max(0.0, deadline - time.monotonic())
            self._socket.settimeout(remaining or (None if deadline is None else 1e-6))
            try:
                more = self._socket.recv(1 << 18)
            except TimeoutError:
                return None
            except OSError as problem:
                raise ChannelClosed(str(problem)) from problem
            finally:
                self._socket.settimeout(None)
            if not more:
                raise ChannelClosed("closed by the other process")
            self._incoming.feed(more)

    def close(self) -> None:
        self._socket.close()
