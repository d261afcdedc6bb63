"""One member's connection to one gateway, and its way into a room: at first, or back after a break."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from random import Random
from typing import Any, Protocol

from harness.audience.history import Message, Stay
from harness.audience.websocket import Connection
from harness.core import protocol as wire
from harness.ipc.coordinator_clock import time_ns

BACKOFF_FIRST_S = 0.2
BACKOFF_MAX_S = 3.0


class Connect(Protocol):
    """Makes a connection that is not open yet; `connect` of what it returns opens it."""

    def __call__(
        self,
        url: str,
        knows: Callable[[bytes], bool],
        hear: Callable[[list[bytes], list[bytes]], None],
        closed: Callable[[str, int | None], None],
    ) -> Connection: ...


class DeliveryListener(Protocol):
    """What is told of everything that members' sockets hear."""

    @property
    def known(self) -> Mapping[bytes, tuple[Any, ...]]:
        """Chunks of messages, keyed by all the bytes of one read."""

    def heard(self, member: MemberSocket, chunk: Any, now_ns: int) -> None: ...

    def decode(self, member: MemberSocket, frames: list[bytes], texts: list[bytes], now_ns: int) -> None: ...

    def left(self, member: MemberSocket, room: str) -> None: ...


class MembershipListener(Protocol):
    """What is told of answers about rooms, and of connections that end."""

    def answered(self, member: MemberSocket, frame: wire.Joined | wire.Redirect | wire.Error, now_ns: int) -> None: ...

    def disconnected(self, member: MemberSocket, why: str, code: int | None) -> None: ...


class MemberSocket:
    """One member's connection to one gateway."""

    __slots__ = (
        *("asked", "connection", "deliveries", "membership", "number"),
        *("read_bytes_per_s", "stays", "url", "waiting"),
    )

    def __init__(
        self,
        deliveries: DeliveryListener,
        membership: MembershipListener,
        number: int,
        url: str,
        *,
        read_bytes_per_s: float | None,
        connect: Connect,
    ) -> None:
        self.deliveries = deliveries
        self.membership = membership
        self.number = number
        self.url = url
        self.read_bytes_per_s = read_bytes_per_s  # None: as fast as it comes
        self.stays: dict[str, Stay | None] = {}  # by room it is in; None while no phase is counted
        self.asked: set[str] = set()  # rooms it has asked for, and has no answer about yet
        self.waiting: dict[int, Message] = {}  # what it said in this phase, until that is answered
        self.connection = connect(url, self.knows, self.hear, self.closed)

    @property
    def rooms(self) -> Iterable[str]:
        return self.stays

    def knows(self, data: bytes) -> bool:
        """Deal with these bytes if they have been seen before; returns whether they have."""
        deliveries = self.deliveries
        chunks = deliveries.known.get(data)
        if chunks is None:
            return False
        now_ns = time_ns()
        for chunk in chunks:
            deliveries.heard(self, chunk, now_ns)
        return True

    def hear(self, frames: list[bytes], texts: list[bytes]) -> None:
        self.deliveries.decode(self, frames, texts, time_ns())

    def closed(self, why: str, code: int | None) -> None:
        self.membership.disconnected(self, why, code)

    def send(self, frame: wire.ClientFrame) -> None:
        self.connection.send(wire.encode(frame))

    def end_stay(self, room: str, now_ns: int, *, broken: bool = False, cut_off: bool = False) -> None:
        """The member is not in the room any more, and is owed nothing from now on."""
        self.deliveries.left(self, room)
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
        self.before = before  # its last stay there, if it asks for what was said since
        self.away = away  # it was in the room, and tries to come back until it succeeds
        self.attempts = 0
        self.connect_ms: float | None = None  # how long the member's first connection took
        self.redirects = 0


def backoff_s(attempt: int, random: Random) -> float:
    """How long to wait before an attempt, which is counted from 1: at random, up to a limit that doubles each time.

    Source: Brooker, Exponential Backoff and Jitter, 2015 ("full jitter").
    """
    return random.uniform(0, min(BACKOFF_MAX_S, BACKOFF_FIRST_S * 2 ** min(attempt - 1, 30)))
