"""One member's connection to one gateway, and the state of a join: the first one, or one after a break."""

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
    """Makes a connection that is not open yet; the connection's own `connect` opens it."""

    def __call__(
        self,
        url: str,
        knows: Callable[[bytes], bool],
        hear: Callable[[list[bytes], list[bytes]], None],
        closed: Callable[[str, int | None], None],
    ) -> Connection: ...


class DeliveryListener(Protocol):
    """Receives everything that members' sockets hear."""

    @property
    def known(self) -> Mapping[bytes, tuple[Any, ...]]:
        """Chunks of messages, keyed by all the bytes of one read."""

    def heard(self, member: MemberSocket, chunk: Any, now_ns: int) -> None: ...

    def decode(self, member: MemberSocket, frames: list[bytes], texts: list[bytes], now_ns: int) -> None: ...

    def left(self, member: MemberSocket, room: str) -> None: ...


class MembershipListener(Protocol):
    """Receives the answers to joins, and learns of connections that end."""

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
        self.read_bytes_per_s = read_bytes_per_s  # None: as fast as data arrives
        self.stays: dict[str, Stay | None] = {}  # by room the member is in; None while no phase is counted
        self.asked: set[str] = set()  # rooms whose join has no answer yet
        self.waiting: dict[int, Message] = {}  # messages of this phase without an ack or refusal, by id
        self.connection = connect(url, self.knows, self.hear, self.closed)

    @property
    def rooms(self) -> Iterable[str]:
        return self.stays

    def knows(self, data: bytes) -> bool:
        """Record the deliveries in these bytes if they were decoded before, and return whether they were."""
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
        """End the member's stay: the room's messages are not expected at this member from now on."""
        self.deliveries.left(self, room)
        stay = self.stays.pop(room, None)
        if stay is not None:
            stay.left_ns, stay.broken, stay.cut_off = now_ns, broken, cut_off


class Joining:
    """A member that is joining a room; redirects may take it to several gateways."""

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
        self.before = before  # its previous stay, if it asks for the messages it missed since then
        self.away = away  # it lost its place in the room, and tries again until it is back
        self.attempts = 0
        self.connect_ms: float | None = None  # how long the member's first connection took
        self.redirects = 0


def backoff_s(attempt: int, random: Random) -> float:
    """Return how many seconds to wait before an attempt (counted from 1): random, up to a limit that doubles each time.

    Source: Brooker, Exponential Backoff and Jitter, 2015 ("full jitter").
    """
    return random.uniform(0, min(BACKOFF_MAX_S, BACKOFF_FIRST_S * 2 ** min(attempt - 1, 30)))
