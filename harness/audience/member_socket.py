"""One member's connection to one gateway, and its way into a room: at first, or back after a break."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from random import Random
from typing import Any, Protocol

from harness.audience.history import Message, Stay
from harness.audience.socketio import connection_to
from harness.core import protocol as wire
from harness.ipc.coordinator_clock import time_ns

BACKOFF_FIRST_S = 0.2
BACKOFF_MAX_S = 3.0


class Listener(Protocol):
    """Who is told what members' sockets hear."""

    @property
    def known(self) -> Mapping[bytes, tuple[Any, ...]]:
        """Chunks of messages, by all the bytes that were read at once."""

    def heard(self, member: MemberSocket, chunk: Any, now_ns: int) -> None: ...

    def decode(self, member: MemberSocket, frames: list[bytes], texts: list[bytes], now_ns: int) -> None: ...

    def disconnected(self, member: MemberSocket, why: str, code: int | None) -> None: ...

    def left(self, member: MemberSocket, room: str) -> None: ...


class MemberSocket:
    """One member's connection to one gateway."""

    __slots__ = ("asked", "connection", "listener", "number", "read_bytes_per_s", "stays", "url", "waiting")

    def __init__(self, listener: Listener, number: int, url: str, read_bytes_per_s: float | None = None) -> None:
        self.listener = listener
        self.number = number
        self.url = url
        self.read_bytes_per_s = read_bytes_per_s  # None: as fast as it comes
        self.stays: dict[str, Stay | None] = {}  # rooms it is in; None while no phase is counted
        self.asked: set[str] = set()  # rooms it has asked for and got no answer yet
        self.waiting: dict[int, Message] = {}  # what it said in this phase, until that is answered
        self.connection = connection_to(url, self.knows, self.hear, self.closed)

    @property
    def rooms(self) -> Iterable[str]:
        return self.stays

    def knows(self, data: bytes) -> bool:
        """Deal with these bytes if they have been seen before."""
        listener = self.listener
        chunks = listener.known.get(data)
        if chunks is None:
            return False
        now_ns = time_ns()
        for chunk in chunks:
            listener.heard(self, chunk, now_ns)
        return True

    def hear(self, frames: list[bytes], texts: list[bytes]) -> None:
        self.listener.decode(self, frames, texts, time_ns())

    def closed(self, why: str, code: int | None) -> None:
        self.listener.disconnected(self, why, code)

    def send(self, frame: wire.ClientFrame) -> None:
        self.connection.send(wire.encode(frame))

    def end_stay(self, room: str, now_ns: int, *, broken: bool = False, cut_off: bool = False) -> None:
        """Somebody who is not in the room any more is owed nothing from now on."""
        self.listener.left(self, room)
        stay = self.stays.pop(room, None)
        if stay is not None:
            stay.left_ns, stay.broken, stay.cut_off = now_ns, broken, cut_off


class Joining:
    """A member on the way into a room, which may lead past several gateways."""

    __slots__ = ("asked_ns", "attempts", "away", "before", "connect_ms", "read_bytes_per_s", "redirects")

    def __init__(
        self,
        asked_ns: int,
        read_bytes_per_s: float | None = None,
        *,
        away: bool = False,
        before: Stay | None = None,
    ) -> None:
        self.asked_ns = asked_ns
        self.read_bytes_per_s = read_bytes_per_s
        self.before = before  # when it was there last, if it wants to know what was said since
        self.away = away  # it was in, and tries to get in again until it is
        self.attempts = 0
        self.connect_ms: float | None = None  # how long the member's first connection took
        self.redirects = 0


def backoff_s(attempt: int, random: Random) -> float:
    """How long to wait before the attempt, from 1: up to twice as long each time, and everybody for another while.

    Source: Brooker, Exponential Backoff and Jitter, 2015 ("full jitter").
    """
    return random.uniform(0, min(BACKOFF_MAX_S, BACKOFF_FIRST_S * 2 ** min(attempt - 1, 30)))
