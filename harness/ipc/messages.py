"""What chatbench, the Locust processes and the audience processes tell each other.

    chatbench <-> coordinator (Locust's local or master) <-> pool (local or worker) <-> audience (sockets, uvloop)

Frames are MessagePack with a length before each, over a Unix socket pair that only parent and child hold; between
Locust processes they travel inside Locust's own messages.
"""

from __future__ import annotations

import struct
from typing import Any, Generic, TypeVar

import msgspec

from harness.core.settings import RunSettings
from harness.ipc.class_plan import ClassPlan
from harness.ledger.fairness import HeardShare, HotRoom
from harness.ledger.judge import Verdict
from harness.ledger.recovery import Recovery
from harness.ledger.reports import RoomReport
from harness.measure.clock_offset import HostClock

LENGTH = struct.Struct(">I")
PATIENCE_S = 2.0  # longer than anything is under way where nothing is broken
# The types of Locust's messages that carry ours from a coordinator to its pools, and back.
ORDER = "chatbench-order"
NEWS = "chatbench-news"
Incoming = TypeVar("Incoming")


class Struct(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Base of all messages: the class name is the tag."""


# --- pool -> audience


class Gateways(Struct, frozen=True):
    """Where members can connect: those who lose their gateway come back by way of another."""

    urls: list[str]


class FollowClock(Struct, frozen=True):
    """The clock of the worker's host is so far ahead of the coordinator's. Also coordinator -> pool."""

    ahead_ns: int


class Enter(Struct, frozen=True):
    """Connect the member to the gateway if it is not yet, and join the room."""

    member: int
    url: str
    room: str
    read_bytes_per_s: float | None = None  # None: as fast as it comes
    resumes: bool = False  # it will come back after a break, and ask for what it missed then


class Exit(Struct, frozen=True):
    member: int
    room: str


class HangUp(Struct, frozen=True):
    """Close the member's connections, and with them all its stays."""

    member: int


class SlowDown(Struct, frozen=True):
    """One in so many members reads nothing for so long. Also chatbench -> coordinator."""

    one_in: int
    lasts_s: float


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
    """Count from now on in fresh statistics. Members speak from start to end."""

    name: str
    start_ns: int
    end_ns: int
    patience_s: float = PATIENCE_S  # when it has ended and nothing has come for so long, nothing more will
    rate_scale: float = 1.0  # what all members' rates are multiplied by, to make the run's rate together
    kinds: int = 1  # of messages, to be told apart


class EndPhase(Struct, frozen=True):
    """Nothing more will be said: tell DrainProgress from now on. Chatbench -> coordinator: end the phase now."""


class Collect(Struct, frozen=True):
    """Answer with Histories: what is known so far."""


class ClosePhase(Struct, frozen=True):
    """Nothing more is waited for: answer with the last AudienceSecond and then PhaseReport."""


# --- audience -> pool


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
    """problem is None when everybody heard what they must."""

    problem: str | None


class AudienceSecond(Struct, frozen=True):
    """One second of a phase. Also pool -> coordinator."""

    phase: str
    second: int  # since the phase began
    said: int
    acked: int
    latency: bytes  # of the deliveries of this second, a packed histogram
    ack: bytes


class DrainProgress(Struct, frozen=True):
    """Whether something still comes: changes as long as it does."""

    heard: int
    unanswered: int


class Histories(Struct, frozen=True):
    rooms: list[RoomReport]
    unanswered: int


class KindLatencies(Struct, frozen=True):
    """Of one kind of message, as PhaseReport has them of all."""

    latency: bytes
    ack: bytes


class PhaseReport(Struct, frozen=True):
    """Everything an audience knows of a phase."""

    phase: str
    rooms: list[RoomReport]
    latency: bytes  # packed histograms
    ack: bytes
    send_lateness: bytes
    loop_lag: bytes
    clock_stepped_ns: int
    refused: dict[str, int]  # error frames, by code
    strays: int  # chat frames of another phase, or of rooms the member is not in
    disconnects: int
    away: bytes  # a packed histogram: from a member's losing its place in a room to being in again
    away_at_end: int  # stays that were lost and not taken up again
    join: bytes  # a packed histogram: from asking for a room to being in, of members who came meanwhile
    joins_redirected: int  # of these, by way of a gateway that does not serve the room
    caught_up: bytes  # a packed histogram: from asking for a room again to having what was missed
    not_taken_ns: list[int]  # when somebody was to speak who was not in the room
    unanswered: int
    by_kind: dict[int, KindLatencies]  # empty where there is one kind only


# --- coordinator -> pool, beside Probe, BeginPhase, Collect and ClosePhase


class Load(Struct, frozen=True):
    """What the members of a test do; a scenario reads it as `self.load`."""

    members: int
    rooms: int
    rate_per_s: float  # messages of all members together
    payload_bytes: int
    payload_sizes: str  # how the sizes are spread around payload_bytes
    seed: int
    options: dict[str, float | str]  # the scenario's own, by name

    @classmethod
    def of(cls, settings: RunSettings, rooms: int, options: dict[str, float | str]) -> Load:
        """What a run asks for, with what its scenario made of rooms and options."""
        return cls(
            members=settings.members,
            rooms=rooms,
            rate_per_s=settings.rate_per_s,
            payload_bytes=settings.payload_bytes,
            payload_sizes=settings.payload_sizes,
            seed=settings.seed,
            options=options,
        )


class Assemble(Struct, frozen=True):
    """Forget the last test's members, and be ready for those of the next."""

    load: Load
    classes: list[ClassPlan]
    urls: list[str]
    worker: int
    workers: int


class AskTime(Struct, frozen=True):
    """Answer at once with Time."""


class AskRates(Struct, frozen=True):
    """Answer with Rates."""


class CutShort(Struct, frozen=True):
    """The phase ends at this moment and not when it was said to."""

    end_ns: int


# --- pool -> coordinator, beside DrainProgress, Histories, AudienceSecond, Probed


class Used(Struct, frozen=True):
    """What processes of the driver used in a phase, by what they are called; None: one has ended."""

    cpu_s: dict[str, float] | None
    rss_bytes: dict[str, int] | None


class Assembled(Struct, frozen=True):
    """The pool is there, with an audience."""

    version: str  # of chatbench
    sources: dict[str, str]  # by class of members, a digest of the file it is from


class Time(Struct, frozen=True):
    """What the clock of the worker's host shows, and which clock that is."""

    host_ns: int
    clock: str


class Arrivals(Struct, frozen=True):
    """Members in their first room, since the last such message: how long connecting and joining took."""

    joined: int
    connect_ms: list[float]
    join_ms: list[float]


class ClassRates(Struct, frozen=True):
    """What the members of one class that are there would say in a second, together."""

    members: int
    rate_per_s: float
    busiest_per_s: float  # the one who says most


class Rates(Struct, frozen=True):
    classes: dict[str, ClassRates]


class Unsaid(Struct, frozen=True):
    """The end of the phase has passed; so much of its schedule could not be said, by class."""

    not_sent: dict[str, int]
    used: Used
    came: int  # members who were spawned since Rates were asked for
    went: int  # and who were stopped
    speaks: bool  # False: no member there has ever called `say`


# --- coordinator -> chatbench


class Second(Struct, frozen=True):
    """One second of a phase, over all members."""

    phase: str
    second: int
    said: int
    acked: int
    delivered: int
    latency_p50_ms: float | None
    latency_p90_ms: float | None
    latency_p99_ms: float | None
    latency_max_ms: float | None


class ClassResult(Struct, frozen=True):
    """What one class of members was to do in a phase."""

    name: str
    members: int  # as many as Locust was to spawn
    rate_per_s: float | None  # its share of the run's; None: not known, where members come later or go
    not_sent: int


class KindResult(Struct, frozen=True):
    """What became of one kind of message. Histograms are packed."""

    member: str  # the class that says it
    name: str
    sent: int
    acked: int
    expected: int
    delivered: int
    lost: int
    latency: bytes
    ack: bytes


class PhaseResult(Struct, frozen=True):
    """What became of a phase, over all members."""

    phase: str
    verdict: Verdict
    latency: bytes  # packed histograms
    ack: bytes
    spread: bytes
    send_lateness: bytes
    loop_lag: bytes  # of the audience that lagged most, whether anybody there spoke or not
    clock_stepped_ns: int
    refused: dict[str, int]
    strays: int
    disconnects: int
    away: bytes  # as in PhaseReport, like the next three
    away_at_end: int
    join: bytes
    joins_redirected: int
    caught_up: bytes
    heard_share: HeardShare
    hot_room: HotRoom
    recoveries: list[Recovery]  # from each fault that was told, in that order
    used: Used  # by the driver's processes
    clocks: list[HostClock]  # of workers on other hosts
    drained: bool  # False: deliveries were still arriving when the wait for them ended
    not_sent: int = 0
    workers_lost: int = 0  # their members count for nothing
    locust_stats_csv: str = ""
    classes: list[ClassResult] = []
    kinds: list[KindResult] = []
    members_changed: str | None = None  # who came and went since the probe, where nobody was to


class Ready(Struct, frozen=True):
    rooms: int


class Broken(Struct, frozen=True):
    """The scenario cannot be run; the user has to mend it."""

    problem: str
    too_fast: bool = False  # as LoadTooFast says


class Failed(Struct, frozen=True):
    """A part of the driver has ended; no fault of the scenario. Also pool -> coordinator."""

    problem: str


class Flooded(Struct, frozen=True):
    """A gateway has closed a member that sent more than it may. Audience -> pool -> coordinator -> chatbench."""

    problem: str


class Spawned(Struct, frozen=True):
    joined: int
    complete: bool = False
    problem: str | None = None  # why not all could join


class Ending(Struct, frozen=True):
    """The scenario's shape, or the user of the web UI, has ended the load before its time."""


class Started(Struct, frozen=True):
    """The user of the web UI has started a test, with these settings; its members are about to join."""

    settings: RunSettings
    rooms: int


# --- chatbench -> coordinator, beside Probe, BeginPhase, EndPhase and SlowDown


class FaultBegan(Struct, frozen=True):
    """Say in PhaseResult how the load recovered from it."""

    at_ns: int


class Spawn(Struct, frozen=True):
    """Connect all members, spread over the gateways. With the web UI: as soon as the user starts a test."""

    urls: list[str]
    frames_per_s: float  # that the gateways take from one member


class Recorded(Struct, frozen=True):
    """What became of the test that was Started."""

    folder: str | None  # None: nothing was measured
    problem: str | None
    summary: bytes  # summary.json, or nothing


ToAudience = (
    Gateways
    | FollowClock
    | Enter
    | Exit
    | HangUp
    | SlowDown
    | Speak
    | Probe
    | BeginPhase
    | EndPhase
    | Collect
    | ClosePhase
)
FromAudience = Entered | MemberFailed | Flooded | Probed | AudienceSecond | DrainProgress | Histories | PhaseReport
ToMemberPool = (
    Assemble | AskTime | AskRates | FollowClock | Probe | SlowDown | BeginPhase | CutShort | Collect | ClosePhase
)
FromMemberPool = (
    Assembled
    | Time
    | Arrivals
    | Rates
    | MemberFailed
    | Probed
    | AudienceSecond
    | Unsaid
    | DrainProgress
    | Histories
    | PhaseReport
    | Broken
    | Failed
    | Flooded
)
ToCoordinator = Spawn | Probe | BeginPhase | EndPhase | SlowDown | FaultBegan | Recorded
FromCoordinator = Ready | Broken | Failed | Flooded | Started | Spawned | Probed | Second | Ending | PhaseResult

_encode = msgspec.msgpack.Encoder().encode


def pack(message: Struct) -> bytes:
    """The message as one frame."""
    body = _encode(message)
    return LENGTH.pack(len(body)) + body


class Unpacker(Generic[Incoming]):
    """Makes messages of bytes as they come."""

    def __init__(self, incoming: Any) -> None:
        # `incoming` is Incoming itself: a union of message types, which `type[...]` cannot express.
        self._decode = msgspec.msgpack.Decoder(incoming).decode
        self._received = bytearray()

    def feed(self, data: bytes) -> None:
        self._received += data

    def take(self) -> Incoming | None:
        """The next message that is complete, if there is one."""
        received = self._received
        if len(received) < LENGTH.size:
            return None
        (length,) = LENGTH.unpack_from(received)
        end = LENGTH.size + length
        if len(received) < end:
            return None
        message: Incoming = self._decode(bytes(received[LENGTH.size : end]))
        del received[:end]
        return message
