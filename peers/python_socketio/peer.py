"""python-socketio: Socket.IO in Python, with its Redis manager, on uvicorn.

    member -> python-socketio -> PUBLISH -> every gateway (SUBSCRIBE) -> its members of the room

It sends with `sio.emit(..., room=...)`: members on the same gateway get the message at once, and the others through
Redis. There is one channel for all rooms, so every gateway gets every message, and drops it if it has no members of the
room. An ack means that Redis has accepted the message. Members use Socket.IO's protocol, as with `socketio`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

from architectures.interface import Promises, Requirements
from peers.interface import AT_MOST_ONCE, OnProgress, Peer, missing_packages, package_versions, python_program


class PythonSocketio(Peer):
    name: ClassVar[str] = "python-socketio"
    summary: ClassVar[str] = "peer: python-socketio (uvicorn) with its Redis manager"
    requires: ClassVar[Requirements] = Requirements(redis=True)
    # Each frame is handled in a task of its own (`async_handlers`, its default), so nothing keeps their order.
    promises: ClassVar[Promises] = replace(AT_MOST_ONCE, ordered=False)
    scheme: ClassVar[str] = "socket.io"

    @classmethod
    def missing(cls) -> str | None:
        return missing_packages(cls.name, "socketio", "uvicorn")

    @classmethod
    def versions(cls) -> Mapping[str, str]:
        return package_versions("python-socketio", "uvicorn")

    @classmethod
    def program(cls, cache: Path, on_progress: OnProgress) -> Sequence[str]:
        return python_program("peers.python_socketio.gateway")
