"""What a gateway process is told on its standard input, and what it answers about itself."""

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
FRAME_BYTES = 4 * 1024  # of a frame that counts as one in a member's budget; what is longer counts as more
FLOOD_REASON = "a member may not send more frames a second than"  # of a close with 1008; the number follows


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """Bounds on what one member can make a gateway hold."""

    message_max_bytes: int = 128 * 1024
    rooms_per_member_max: int = 100
    publishing_per_member_max: int = 256  # messages that the backend has not answered yet
    publishing_per_member_max_bytes: int = 1024 * 1024  # of these; one longer message may be alone
    publishing_max_bytes: int = 64 * 1024 * 1024  # of all members together
    frames_per_s: float = 1_000.0  # of one member, in the long run, of every kind; 4 KiB of a longer one count as one
    frames_burst: int = 2_000
    joins_per_s: float = 50.0  # of one member, in the long run
    joins_burst: int = 200
    members_max: int = 100_000
    send_buffer_max_bytes: int = 8 * 1024 * 1024  # unread, of one member
    send_buffers_max_bytes: int = 256 * 1024 * 1024  # of all members together
    handshake_max_s: float = 10.0
    silent_max_s: int = 60  # a peer whose kernel does not answer for so long is gone
    slow_check_s: float = 0.1  # a fast sender fills a member's bound in less than half a second
    history_max_s: float = 900.0  # how far back one may ask: for Kafka that is so much to read
    history_max_bytes: int = HISTORY_MAX_BYTES  # of what one member missed; less than it may have unread
    history_per_s: float = 5.0  # questions for it by one member, in the long run
    history_burst: int = 100  # whoever comes back to all of its rooms asks once for each
    history_at_once_max: int = 1_000  # questions of all members that the backend is asked; the others wait
    moving_max_s: float = 15.0  # how long a join waits for a room that is between two gateways


def frames_of(message_bytes: int) -> int:
    """As how many frames such a message counts in its sender's budget."""
    return 1 + message_bytes // FRAME_BYTES


def limits_for(rate_per_s: float, payload_bytes: int) -> Limits:
    """The usual limits, but for the frames of a member: in a run one member may say all that is said."""
    usual = Limits()
    frames_per_s = max(usual.frames_per_s, 2 * rate_per_s * frames_of(payload_bytes))
    return msgspec.structs.replace(usual, frames_per_s=frames_per_s, frames_burst=math.ceil(2 * frames_per_s))


class Exposure(msgspec.Struct, frozen=True, kw_only=True):
    """Who can reach a gateway, and who may."""

    bind: str = LOOPBACK
    origins: tuple[str, ...] = ()  # web pages that may connect, beside those of this host
    token: str | None = None  # what every client must show; needed off loopback

    def __post_init__(self) -> None:
        if self.token is not None and len(self.token) < TOKEN_CHARS_MIN:
            raise ValueError(f"a token must have at least {TOKEN_CHARS_MIN} characters")
        if self.token is None and not ipaddress.ip_address(self.bind).is_loopback:
            raise ValueError(f"a gateway on {self.bind}, which others can reach, needs a token")

    def __repr__(self) -> str:  # so that no log and no traceback holds the token
        return f"Exposure(bind={self.bind!r}, origins={self.origins!r}, token={'set' if self.token else None})"


# Of gateways that start before it is known what they will carry.
ANY_LOAD = limits_for(RATE_MAX_PER_S, SIZE_MAX_BYTES)


class GatewaySettings(msgspec.Struct, frozen=True, kw_only=True):
    arch: str
    services: Services
    topology: Topology
    index: int
    port: int
    peers: tuple[str, ...]  # URLs of all gateways, by index; of a fleet with a membership: of this one
    limits: Limits = Limits()
    exposure: Exposure = Exposure()
    tick_s: float | None = None  # how long a busy room's messages wait for others; None: that adapts to the load


class About(msgspec.Struct, frozen=True, kw_only=True):
    """What a gateway says of itself and its fleet, to those who want to drive it from elsewhere."""

    version: str  # of chatbench
    arch: str
    summary: str
    index: int
    topology: Topology
    tick_s: float | None
    urls: dict[int, str]  # of the fleet's gateways that are there, by index
    frames_per_s: float = Limits().frames_per_s  # that one member may send; older versions do not say


class GatewayStats(msgspec.Struct, frozen=True, kw_only=True):
    """Counters since the process began. None: a gateway of somebody else's, which does not count that."""

    process: str  # which one, also after another has taken its place
    cpu_s: float
    rss_bytes: int
    members: int
    rooms: int
    frames_out: int | None = None
    writes: int | None = None  # which carried them: one takes all that a room has for a member
    bytes_out: int | None = None  # of these frames
    wasted: int | None = None  # deliveries of the backend for rooms without a local member
    buffered_bytes: dict[str, int] = {}  # what it holds at this moment, by what that waits for
    counts: dict[str, int]

    def since(self, before: GatewayStats) -> GatewayStats:
        """Members, rooms and memory as they are, counters as they grew."""
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
    """Of several gateways. A room that is on two counts twice."""
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
    every = list(counts)
    return None if None in every else sum(count for count in every if count is not None)


def gateway_url(port: int, host: str = LOOPBACK, scheme: str = "ws") -> str:
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"
