"""The messages between chatbench, the Locust processes and the audience processes.

    chatbench <-> coordinator (Locust's local or master) <-> pool (local or worker) <-> audience (sockets, uvloop)

A frame is a four-byte length and a MessagePack body, sent over a Unix socket pair that only parent and child hold.
Between Locust processes the messages travel inside Locust's own messages.
"""

from __future__ import annotations

import hashlib
import struct
from functools import cache
from importlib.metadata import version
from typing import Any, Generic, TypeVar

import msgspec

from harness.core.settings import RunSettings
from harness.ipc.class_plan import ClassPlan, MessageKind
from harness.ledger.fairness import HeardShare, HotRoom
from harness.ledger.judge import Verdict
from harness.ledger.message_times import MessageTimes
from harness.ledger.receipts import Receipts
from harness.ledger.recovery import Recovery
from harness.ledger.reports import RoomReport
from harness.measure.clock_offset import HostClock

LENGTH = struct.Struct(">I")
PATIENCE_S = 2.0  # longer than any delivery takes in a system without a fault
# The types of the Locust messages that carry ours from a coordinator to its pools, and back.
ORDER = "chatbench-order"
NEWS = "chatbench-news"
Incoming = TypeVar("Incoming")


class Struct(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The base of all messages. The class name is the tag."""


# --- pool -> audience


class Gateways(Struct, frozen=True):
    """The gateways that members can connect to. A member that loses its gateway returns through another."""

    urls: list[str]


class FollowClock(Struct, frozen=True):
    """By how much the clock of the worker's host is ahead of the coordinator's. Also coordinator -> pool."""

    ahead_ns: int


class Enter(Struct, frozen=True):
    """Connect the member to the gateway if it is not connected yet, and join the room."""

    member: int
    url: str
    room: str
    read_bytes_per_s: float | None = None  # None: as fast as data arrives
    resumes: bool = False  # after a break, the member asks for the messages it missed


class Exit(Struct, frozen=True):
    """Take the member out of the room."""

    member: int
    room: str


class HangUp(Struct, frozen=True):
    """Close the member's connections, which ends all its stays."""

    member: int


class SlowDown(Struct, frozen=True):
    """Make one in `one_in` members read nothing for `lasts_s`. Also chatbench -> coordinator."""

    one_in: int
    lasts_s: float


class Speak(Struct, frozen=True):
    """Send a message. The id contains the member's number."""

    message_id: int
    room: str
    intended_ns: int  # when the schedule wanted it sent; latency counts from then
    text: str


class Probe(Struct, frozen=True):
    """Send test messages until every member hears every gateway of its rooms (or, with `fragments`, any of them)."""

    fragments: bool
    timeout_s: float


class BeginPhase(Struct, frozen=True):
    """Start to count in fresh statistics. Members speak from `start_ns` to `end_ns`."""

    name: str
    start_ns: int
    end_ns: int
    patience_s: float = PATIENCE_S  # after the end, the wait for deliveries gives up when none has come for so long
    # The factor on every member's rate. The coordinator multiplies it by what makes their sum the run's rate.
    rate_scale: float = 1.0
    kinds: int = 1  # the number of kinds of message that are counted separately


class EndPhase(Struct, frozen=True):
    """No more messages will be sent: report DrainProgress from now on. Chatbench -> coordinator: end the phase now."""


class Collect(Struct, frozen=True):
    """Answer with Histories of everything up to now."""


class ClosePhase(Struct, frozen=True):
    """Stop waiting for deliveries: answer with the last AudienceSecond and then PhaseReport."""


# --- audience -> pool


class Entered(Struct, frozen=True):
    """The member is in the room."""

    member: int
    room: str
    connect_ms: float | None  # None: not the member's first connection
    join_ms: float


class MemberFailed(Struct, frozen=True):
    """The member could not join, or its connection closed."""

    member: int
    reason: str


class Probed(Struct, frozen=True):
    """The probe has ended; `problem` is None if all members heard what they must."""

    problem: str | None


class AudienceSecond(Struct, frozen=True):
    """One second of a phase. Also pool -> coordinator."""

    phase: str
    second: int  # since the phase began
    said: int
    acked: int
    latency: bytes  # the deliveries of this second, as a packed histogram
    ack: bytes
    cpu_ms: float | None = None  # what the pool and its audience used since the last such report; the pool adds it


class DrainProgress(Struct, frozen=True):
    """The counts of what has come so far: they change as long as deliveries or answers still come."""

    heard: int
    unanswered: int


class Histories(Struct, frozen=True):
    """What an audience has said and heard so far in the phase."""

    rooms: list[RoomReport]
    unanswered: int


class KindLatencies(Struct, frozen=True):
    """The latencies of one kind of message, as packed histograms."""

    latency: bytes
    ack: bytes


class PhaseReport(Struct, frozen=True):
    """Everything that an audience has counted in a phase."""

    phase: str
    rooms: list[RoomReport]
    latency: bytes  # packed histograms
    latency_from_sending: bytes  # of deliveries whose message was sent by a member of the same audience
    receipts: Receipts  # the other deliveries, thinned out
    ack: bytes
    send_lateness: bytes
    loop_lag: bytes
    clock_stepped_ns: int
    refused: dict[str, int]  # error frames, by code
    strays: int  # chat frames of another phase, or of rooms that the member is not in
    disconnects: int
    away: bytes  # a packed histogram: from a member's loss of its place in a room until it is back in
    away_at_end: int  # places in rooms that were lost and not regained by the end of the phase
    join: bytes  # a packed histogram: from a join to its answer, for members that joined during the phase
    joins_redirected: int  # how many of these joins were redirected
    caught_up: bytes  # a packed histogram: from a join after a break until all missed messages have come
    not_taken_ns: list[int]  # intended times of messages whose member was not in the room
    unanswered: int
    by_kind: dict[int, KindLatencies]  # empty if there is only one kind


# --- coordinator -> pool, beside Probe, BeginPhase, Collect and ClosePhase


class Load(Struct, frozen=True):
    """The load of a test. A scenario reads it as `self.load`."""

    members: int
    rooms: int
    rate_per_s: float  # messages per second of all members together
    payload_bytes: int  # mean size of a message's text
    payload_sizes: str  # how the sizes are spread around payload_bytes
    seed: int
    options: dict[str, float | str]  # the scenario's own options, by name

    @classmethod
    def of(cls, settings: RunSettings, rooms: int, options: dict[str, float | str]) -> Load:
        """Return the load of a run, with the number of rooms and the options that its scenario chose."""
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
    """Forget the members of the last test, and be ready for those of the next."""

    load: Load
    classes: list[ClassPlan]
    kinds: list[MessageKind]  # their index is the number in a message's id, the same in every process
    urls: list[str]  # of all gateways
    worker: int  # the rank of this pool's process
    workers: int
    protocol: str = ""  # the coordinator's protocol(); empty: it has an older chatbench that does not say


class AskTime(Struct, frozen=True):
    """Answer at once with Time."""


class AskRates(Struct, frozen=True):
    """Answer with Rates."""


class CutShort(Struct, frozen=True):
    """The phase ends at this moment, before its planned end."""

    end_ns: int


# --- pool -> coordinator, beside DrainProgress, Histories, AudienceSecond, Probed


class Used(Struct, frozen=True):
    """The CPU time and memory of the driver's processes in a phase, by process name. None: one has ended."""

    cpu_s: dict[str, float] | None
    rss_bytes: dict[str, int] | None


class Assembled(Struct, frozen=True):
    """The pool is ready and has an audience."""

    version: str  # of chatbench
    sources: dict[str, str]  # a digest of the file that defines each class of members, by class name
    protocol: str = ""  # as in Assemble


class Time(Struct, frozen=True):
    """The time by the clock of the worker's host, and the identity of that clock."""

    host_ns: int
    clock: str


class Arrivals(Struct, frozen=True):
    """Connects and joins since the last such message, with how long they took."""

    joined: int
    connect_ms: list[float]
    join_ms: list[float]


class ClassRates(Struct, frozen=True):
    """The message rate of the members of one class that have been spawned, at their most active."""

    members: int
    rate_per_s: float  # of all of them together
    busiest_per_s: float  # of the one with the highest rate


class Rates(Struct, frozen=True):
    """The message rates of a pool's members."""

    classes: dict[str, ClassRates]  # by class name


class Unsaid(Struct, frozen=True):
    """The phase has ended; says how many scheduled messages could not be sent."""

    not_sent: dict[str, int]  # by class
    used: Used
    came: int  # members spawned since AskRates
    went: int  # members stopped since AskRates
    speaks: bool  # False: no member of this pool has ever called `say`


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
    driver_cpu_ms: float | None = None  # what the driver's processes used; None: not known of each of them


class ClassResult(Struct, frozen=True):
    """The planned load of one class of members in a phase, and how much of it could not be sent."""

    name: str
    members: int  # the number that Locust was to spawn
    rate_per_s: float | None  # its share of the run's rate; None: not known, because members come or go during the load
    not_sent: int


class KindResult(Struct, frozen=True):
    """The result of one kind of message. Histograms are packed."""

    member: str  # the class that sends it
    name: str
    sent: int
    acked: int
    expected: int
    delivered: int
    lost: int
    latency: bytes
    ack: bytes


class PhaseResult(Struct, frozen=True):
    """The result of a phase, over all members."""

    phase: str
    verdict: Verdict
    latency: bytes  # packed histograms
    latency_from_sending: bytes
    ack: bytes
    spread: bytes
    send_lateness: bytes
    loop_lag: bytes  # of the audience that lagged most, whether its members spoke or not
    clock_stepped_ns: int
    refused: dict[str, int]
    strays: int
    disconnects: int
    away: bytes  # this and the next four as in PhaseReport
    away_at_end: int
    join: bytes
    joins_redirected: int
    caught_up: bytes
    heard_share: HeardShare
    hot_room: HotRoom
    recoveries: list[Recovery]  # one for each FaultBegan, in that order
    used: Used  # by the driver's processes
    clocks: list[HostClock]  # of workers on other hosts
    drained: bool  # False: deliveries were still arriving when the wait for them ended
    not_sent: int = 0
    workers_lost: int = 0  # Locust workers that ended early; their members are not counted
    locust_stats_csv: str = ""
    classes: list[ClassResult] = []
    kinds: list[KindResult] = []
    messages: MessageTimes | None = None  # None: not of the measurement
    independent_messages: int | None = None  # how many independent messages the latencies are worth
    members_changed: str | None = None  # a sentence on members that came or went after the probe, without a shape


class Ready(Struct, frozen=True):
    """The driver has loaded the scenario."""

    rooms: int


class Broken(Struct, frozen=True):
    """The scenario cannot be run; its author has to fix it."""

    problem: str
    too_fast: bool = False  # the problem is a LoadTooFast


class Failed(Struct, frozen=True):
    """A part of the driver has ended, and the scenario did not cause it. Also pool -> coordinator."""

    problem: str


class Flooded(Struct, frozen=True):
    """A gateway has closed a member that sent more than the limit. Audience -> pool -> coordinator -> chatbench."""

    problem: str


class Spawned(Struct, frozen=True):
    """How many members have joined so far."""

    joined: int
    complete: bool = False  # the last message of its kind
    problem: str | None = None  # why not all could join


class Ending(Struct, frozen=True):
    """The scenario's shape, or the user of the web UI, has ended the load early."""


class Listening(Struct, frozen=True):
    """The web UI accepts connections, and knows what the gateways take: its answer to Spawn."""


class Started(Struct, frozen=True):
    """The user of the web UI has started a test, with these settings; its members are about to join."""

    settings: RunSettings
    rooms: int


# --- chatbench -> coordinator, beside Probe, BeginPhase, EndPhase and SlowDown


class FaultBegan(Struct, frozen=True):
    """A fault began at this moment: report in PhaseResult how the load recovered from it."""

    at_ns: int


class Spawn(Struct, frozen=True):
    """Connect all members, spread over the gateways. With the web UI this happens when the user starts a test."""

    urls: list[str]
    frames_per_s: float  # the limit on frames that the gateways accept from one member


class Recorded(Struct, frozen=True):
    """The record of the test that was Started."""

    folder: str | None  # None: nothing was measured
    problem: str | None
    summary: bytes  # the text of summary.json; empty if nothing was measured


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
FromCoordinator = (
    Ready | Broken | Failed | Flooded | Listening | Started | Spawned | Probed | Second | Ending | PhaseResult
)

OTHER_PROTOCOL = (
    "a Locust worker and its master have different versions of chatbench, although both may call it "
    f"{version('chatbench')}; install the same on both hosts"
)

_encode = msgspec.msgpack.Encoder().encode


@cache
def protocol() -> str:
    """Return a digest of the messages between Locust processes, which may be on hosts with different checkouts.

    It changes with the name, type, place or default of any field, and not with docstrings.
    """
    schema = _without_prose(msgspec.json.schema(ToMemberPool | FromMemberPool))
    return hashlib.sha256(msgspec.json.encode(schema, order="deterministic")).hexdigest()[:16]


def _without_prose(schema: Any) -> Any:
    if isinstance(schema, dict):
        kept = {key: value for key, value in schema.items() if not (key == "description" and isinstance(value, str))}
        return {key: _without_prose(value) for key, value in kept.items()}
    return [_without_prose(each) for each in schema] if isinstance(schema, list) else schema


def pack(message: Struct) -> bytes:
    """Return the message as one frame."""
    body = _encode(message)
    return LENGTH.pack(len(body)) + body


class Unpacker(Generic[Incoming]):
    """Turns a stream of bytes back into messages."""

    def __init__(self, incoming: Any) -> None:
        # `incoming` is Incoming itself: a union of message types, which `type[...]` cannot express.
        self._decode = msgspec.msgpack.Decoder(incoming).decode
        self._received = bytearray()

    def feed(self, data: bytes) -> None:
        self._received += data

    def take(self) -> Incoming | None:
        """Return the next complete message, or None if there is none yet."""
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
