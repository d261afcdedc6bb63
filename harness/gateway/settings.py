"""The settings of a gateway process, and what it reports about itself."""

from __future__ import annotations

import ipaddress
import math
from collections import Counter
from collections.abc import Iterable

import msgspec

from architectures.interface import HISTORY_MAX_BYTES, Services, Topology
from harness.core.payload import SIZE_MAX_BYTES
from harness.core.settings import RATE_MAX_PER_S
from harness.core.token import TOKEN_CHARS_MIN

LOOPBACK = "127.0.0.1"
FRAME_BYTES = 4 * 1024  # a frame counts once in a member's budget for each 4 KiB that it has
# No page of another site can send this header here: its browser has to ask first, and is refused.
PROGRAM_HEADER = "Chatbench-Program"
FLOOD_REASON = "a member may not send more frames a second than"  # of a close with 1008; the number follows


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """Limits on what members can make a gateway hold and do."""

    message_max_bytes: int = 128 * 1024
    rooms_per_member_max: int = 100
    publishing_per_member_max: int = 256  # messages that the backend has not answered yet
    publishing_per_member_max_bytes: int = 1024 * 1024  # of these messages; a single longer message is accepted
    publishing_max_bytes: int = 64 * 1024 * 1024  # of all members together
    frames_per_s: float = 1_000.0  # of one member, in the long run, of every kind; each 4 KiB of a frame count as one
    frames_burst: int = 2_000
    joins_per_s: float = 50.0  # of one member, in the long run
    joins_burst: int = 200
    members_max: int = 100_000
    send_buffer_max_bytes: int = 8 * 1024 * 1024  # unread bytes of one member
    send_buffers_max_bytes: int = 256 * 1024 * 1024  # of all members together
    handshake_max_s: float = 10.0
    silent_max_s: int = 60  # a peer whose kernel does not answer for this long is gone
    slow_check_s: float = 0.1  # a fast sender fills a member's buffer in less than half a second
    history_max_s: float = 900.0  # the oldest history that a member can get; it limits how much Kafka must read
    history_max_bytes: int = HISTORY_MAX_BYTES  # of the history for one join; less than a member may have unread
    history_per_s: float = 5.0  # requests for history by one member, in the long run
    history_burst: int = 100  # a member that comes back to all of its rooms asks once for each
    history_at_once_max: int = 1_000  # concurrent requests for history of all members; more have to wait
    moving_max_s: float = 15.0  # how long a join waits for a room that moves between two gateways


def frames_of(message_bytes: int) -> int:
    """Return how many frames a message of this size counts as in its sender's budget."""
    return 1 + message_bytes // FRAME_BYTES


def limits_for(rate_per_s: float, payload_bytes: int) -> Limits:
    """Return the default limits, but with so many frames a member that one member could send the whole load."""
    usual = Limits()
    frames_per_s = max(usual.frames_per_s, 2 * rate_per_s * frames_of(payload_bytes))
    return msgspec.structs.replace(usual, frames_per_s=frames_per_s, frames_burst=math.ceil(2 * frames_per_s))


class Exposure(msgspec.Struct, frozen=True, kw_only=True):
    """Where a gateway listens, and who may connect to it."""

    bind: str = LOOPBACK
    origins: tuple[str, ...] = ()  # origins of web pages that may connect, besides those of this host
    token: str | None = None  # every client must show it; required unless `bind` is a loopback address

    def __post_init__(self) -> None:
        if self.token is not None and len(self.token) < TOKEN_CHARS_MIN:
            raise ValueError(f"a token must have at least {TOKEN_CHARS_MIN} characters")
        if self.token is None and not ipaddress.ip_address(self.bind).is_loopback:
            raise ValueError(f"a gateway on {self.bind}, which others can reach, needs a token")

    def __repr__(self) -> str:  # so that no log and no traceback holds the token
        return f"Exposure(bind={self.bind!r}, origins={self.origins!r}, token={'set' if self.token else None})"


# The limits of gateways that start before their load is known.
ANY_LOAD = limits_for(RATE_MAX_PER_S, SIZE_MAX_BYTES)


class GatewaySettings(msgspec.Struct, frozen=True, kw_only=True):
    """The settings of one gateway process, which reads them as JSON from its standard input."""

    arch: str
    services: Services
    topology: Topology
    index: int
    port: int
    peers: tuple[str, ...]  # URLs of all gateways, by index; only this gateway's URL in a fleet with a membership
    limits: Limits = Limits()
    exposure: Exposure = Exposure()
    tick_s: float | None = None  # how long a busy room's messages wait for each other; None: adapts to the load
    trace_one_in: int = 0  # note when one in so many messages passes here; 0: none


class About(msgspec.Struct, frozen=True, kw_only=True):
    """What a gateway says about itself and its fleet, for drivers on other hosts."""

    version: str  # of chatbench
    arch: str
    summary: str
    index: int
    topology: Topology
    tick_s: float | None
    urls: dict[int, str]  # URLs of the fleet's gateways that serve members, by index
    frames_per_s: float = Limits().frames_per_s  # how many one member may send; older versions do not report it


class GatewayStats(msgspec.Struct, frozen=True, kw_only=True):
    """Counters of a gateway since its process began. None means that the gateway, a peer's, does not count this."""

    process: str  # identifies the process, so that a restart is noticed
    cpu_s: float
    rss_bytes: int
    members: int
    rooms: int
    frames_out: int | None = None
    writes: int | None = None  # writes that carried these frames; one carries all that a room has for a member
    bytes_out: int | None = None  # bytes of these frames
    wasted: int | None = None  # deliveries of the backend for rooms without a local member
    buffered_bytes: dict[str, int] = {}  # bytes held now, by what they wait for
    counts: dict[str, int]

    def since(self, before: GatewayStats) -> GatewayStats:
        """Return the growth of the counters since `before`; members, rooms and memory are those of now."""
        grown = Counter(self.counts)
        grown.subtract(before.counts)
        return msgspec.structs.replace(
            self,
            cpu_s=self.cpu_s - before.cpu_s,
            frames_out=_grown(self.frames_out, before.frames_out),
            writes=_grown(self.writes, before.writes),
            bytes_out=_grown(self.bytes_out, before.bytes_out),
            wasted=_grown(self.wasted, before.wasted),
            counts={cause: count for cause, count in grown.items() if count},
        )


def total(gateways: Iterable[GatewayStats]) -> GatewayStats:
    """Sum the counters of several gateways. A room with members on two gateways counts twice."""
    stats = list(gateways)
    counts: Counter[str] = Counter()
    buffered: Counter[str] = Counter()
    for each in stats:
        counts.update(each.counts)
        buffered.update(each.buffered_bytes)
    return GatewayStats(
        process=" ".join(each.process for each in stats),
        cpu_s=sum(each.cpu_s for each in stats),
        rss_bytes=sum(each.rss_bytes for each in stats),
        members=sum(each.members for each in stats),
        rooms=sum(each.rooms for each in stats),
        frames_out=_sum(each.frames_out for each in stats),
        writes=_sum(each.writes for each in stats),
        bytes_out=_sum(each.bytes_out for each in stats),
        wasted=_sum(each.wasted for each in stats),
        buffered_bytes=dict(buffered),
        counts=dict(counts),
    )


def _grown(now: int | None, before: int | None) -> int | None:
    return None if now is None or before is None else now - before


def _sum(counts: Iterable[int | None]) -> int | None:
    values = list(counts)
    return None if None in values else sum(count for count in values if count is not None)


def gateway_url(port: int, host: str = LOOPBACK, scheme: str = "ws") -> str:
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"
