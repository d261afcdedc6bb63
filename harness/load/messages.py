"""What chatbench, the Locust process and the audience process tell each other.

    chatbench <-> driver (Locust, gevent) <-> audience (sockets, uvloop)

Frames are MessagePack with a length before each, over a Unix socket pair that only parent and child hold.
"""

from __future__ import annotations

import struct

import msgspec

from harness.load.ledger import Verdict

LENGTH = struct.Struct(">I")
FRAME_MAX_BYTES = 256 * 1024 * 1024


class Struct(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Base of all messages: the class name is the tag."""


# --- driver -> audience


class Enter(Struct, frozen=True):
    """Connect the member to the gateway if it is not yet, and join the room."""

    member: int
    url: str
    room: str


class Exit(Struct, frozen=True):
    member: int
    room: str


class Speak(Struct, frozen=True):
    message_id: int
    room: str
    intended_ns: int
    text: str


class Probe(Struct, frozen=True):
    """Send test messages until every member hears every gateway of its rooms (or, with fragments, any)."""

    fragments: bool
    timeout_s: float


class BeginPhase(Struct, frozen=True):
    """Count from now on in fresh statistics. Also chatbench -> driver: let members speak from start to end."""

    name: str
    start_ns: int
    end_ns: int


class EndPhase(Struct, frozen=True):
    """Wait for what is in flight, then answer with PhaseResult. Also chatbench -> driver: end it now."""


# --- audience -> driver


class Entered(Struct, frozen=True):
    member: int
    room: str
    connect_ms: float | None  # None: the member was connected already
    join_ms: float


class MemberFailed(Struct, frozen=True):
    """The member could not join, or its connection closed."""

    member: int
    reason: str


class Probed(Struct, frozen=True):
    """problem is None when everybody heard what they must. Also driver -> chatbench."""

    problem: str | None


class Tick(Struct, frozen=True):
    """Counts of one second of a phase, and what is new for Locust. Also driver -> chatbench."""

    phase: str
    second: int  # since the phase began
    said: int
    acked: int
    delivered: int
    latency_p50_ms: float | None
    latency_p90_ms: float | None
    latency_p99_ms: float | None
    latency_max_ms: float | None
    deliver_ms: dict[int, int]  # rounded as Locust rounds -> count
    ack_ms: dict[int, int]


class PhaseResult(Struct, frozen=True):
    """Everything the audience knows of a phase. The driver adds what only it knows and passes it on."""

    phase: str
    verdict: Verdict
    latency: bytes  # encoded histograms
    ack: bytes
    spread: bytes
    send_lateness: bytes
    loop_lag: bytes
    refused: dict[str, int]  # error frames, by code
    strays: int  # chat frames of another phase, or of rooms the member is not in
    disconnects: int
    below_zero: int  # intervals that a stepped clock made negative
    drained: bool  # False: deliveries were still arriving when the wait for them ended
    not_sent: int = 0
    locust_stats_csv: str = ""
    user_error: str | None = None  # the first exception of the scenario


# --- chatbench -> driver


class Spawn(Struct, frozen=True):
    """Connect all members, spread over the gateways."""

    urls: list[str]


# --- driver -> chatbench


class Ready(Struct, frozen=True):
    pids: list[int]  # of the processes whose CPU time is the driver's
    rooms: int


class Broken(Struct, frozen=True):
    """The scenario cannot be run; the user has to mend it."""

    problem: str


class Failed(Struct, frozen=True):
    """A part of the driver has ended; no fault of the scenario."""

    problem: str


class Spawned(Struct, frozen=True):
    joined: int
    problem: str | None = None  # None while members are still joining, or when all have


ToAudience = Enter | Exit | Speak | Probe | BeginPhase | EndPhase
FromAudience = Entered | MemberFailed | Probed | Tick | PhaseResult
ToDriver = Spawn | Probe | BeginPhase | EndPhase
FromDriver = Ready | Broken | Failed | Spawned | Probed | Tick | PhaseResult

_encode = msgspec.msgpack.Encoder().encode


def pack(message: Struct) -> bytes:
    """The message as one frame."""
    body = _encode(message)
    return LENGTH.pack(len(body)) + body
