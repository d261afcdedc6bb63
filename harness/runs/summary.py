"""summary.json: its keys, with their units and meanings."""

from __future__ import annotations

import msgspec

from harness.ledger.fairness import HeardShare, HotRoom
from harness.ledger.stages import Stages
from harness.measure.clock_offset import HostClock
from harness.measure.histogram import LatencyMs
from harness.measure.validity import DriverVerdict
from harness.runs.promises import PromiseCheck, Use
from harness.services.kafka.metrics import KafkaPerMessage
from harness.services.nats.metrics import NatsPerMessage
from harness.services.redis.metrics import RedisPerMessage

SCHEMA = 2


class SpreadMs(msgspec.Struct, frozen=True):
    """The time from the first to the last recipient's delivery of a message. None: not measured."""

    p50: float | None = None
    p99: float | None = None
    max: float | None = None


class CpuUsPerDelivery(msgspec.Struct, frozen=True):
    """CPU time of each component for each delivery. None: this run did not have the component."""

    gateway: float | None = None
    kafka: float | None = None
    redis: float | None = None
    nats: float | None = None
    driver: float | None = None


class KafkaCpu(msgspec.Struct, frozen=True):
    """Where the CPU time of Kafka's brokers went in the measurement. The compiler works as long as a broker is cold."""

    compiler_ms: float  # threads of the JVM that compile what runs often
    collector_ms: float  # threads of the JVM that collect garbage
    rest_ms: float  # all other threads: requests, replication and the log

    def share_of(self, part_ms: float) -> float:
        """Return the share of all of it, from 0 to 1."""
        return part_ms / ((self.compiler_ms + self.collector_ms + self.rest_ms) or 1.0)


class ThreadGroup(msgspec.Struct, frozen=True):
    """Threads of the same name in the processes of a component, of which one used a hundredth of a core at least."""

    component: str
    group: str  # the first 15 characters of their names, without numbers; "main thread" is a gateway's event loop
    threads: int
    cores_used: float  # by all of them
    busiest_cores: float  # by the one that used most; at 1 it has no time to spare


class GatewayFigures(msgspec.Struct, frozen=True):
    """What one gateway did in the measurement. None: a peer's gateway does not count it."""

    members: int  # at its end
    deliveries: int | None
    wasted: int | None
    bytes_to_members: int | None
    cores_used: float | None  # None: it was killed


class Resumed(msgspec.Struct, frozen=True, kw_only=True):
    """What members got who came back to a room and asked for what they had missed. None: not measured."""

    returns: int
    away: int  # messages said between two stays of such a member, counted for each
    missed: int  # of these: never heard by that member
    repeated: int  # told, though heard before, or said before they first came
    caught_up_ms: LatencyMs  # from asking to come in again to having what was missed; none where nothing is kept


class FaultSeen(msgspec.Struct, frozen=True, kw_only=True):
    """A fault that came. None: it did not happen within the measurement, or too little was said to tell."""

    fault: str  # kill:gateway
    began_s: float  # since the measurement began
    ended_s: float | None  # None: it was for good
    first_delivery_ms: float | None  # since it began, as Recovery
    normal_ms: float | None
    never_normal: bool = False  # enough was said to tell that no two seconds after it were as before
    comparable: bool = True  # enough was said before it to tell what is usual
    # Share of what was to be said from its beginning on that was acked, and heard by all whom it was owed to. None: an
    # older record, or there was nothing.
    availability: float | None = None


class KindFigures(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one kind of message in the measurement: those that one class sent with `say(..., kind=name)`."""

    name: str  # "chat" where the class names no kinds
    sent: int  # messages
    acked: int  # messages
    expected: int  # deliveries, one for each member that is owed a message
    delivered: int  # deliveries, of the expected
    lost: int  # deliveries, of the expected
    latency_ms: LatencyMs  # from the moment a message was due until a member had it
    ack_ms: LatencyMs  # from the same moment until its sender had the ack


class ClassFigures(msgspec.Struct, frozen=True, kw_only=True):
    """What one class of the scenario's members did in the measurement."""

    name: str  # of the class in the locustfile
    members: int  # so many of it, by its weight or fixed_count
    # Messages a second of them all, of the run's rate; None: not known, where a shape lets members come and go.
    rate_per_s: float | None
    sent: int  # messages
    not_sent: int  # messages that were due and could not be sent
    kinds: list[KindFigures]


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """summary.json. None is written as null and means: not measured."""

    schema: int = 1  # counts up when a key changes its meaning or goes away; records of 0.1.0 do not have it
    arch: str
    scenario: str
    status: str  # complete | interrupted | failed | incomplete (the run was killed)
    why: str | None = None  # what ended a run that is not complete
    services: str = "own"  # or whose Kafka and Redis it ran on
    left_behind: str | None = None  # there, if it could not be removed
    measured_from_utc: str | None = None  # when the measurement began, ISO 8601 to the microsecond
    duration_s: float | None = None
    members: int
    rooms: int | None = None
    gateways: int
    sent: int | None = None
    not_sent: int | None = None
    acked: int | None = None
    refused: dict[str, int] | None = None  # messages answered with an error, by its code
    expected: int | None = None
    delivered: int | None = None
    lost: int | None = None
    lost_acked: int | None = None
    duplicated: int | None = None
    duplicated_on_return: int | None = None  # to members who had heard it before they were away; not in `duplicated`
    reordered: int | None = None
    neither: int | None = None
    strays: int | None = None
    disconnects: int | None = None
    away_ms: LatencyMs = LatencyMs()  # members who lost their place in a room: until they were in again
    away_at_end: int | None = None  # who never were
    not_drained: int | None = None  # of expected: may still have been on their way when the drain ended
    lost_in_break: int | None = None  # of lost_acked: on their way to a member just as its connection broke
    faults: list[FaultSeen] = []
    ended: list[str] = []  # gateways that ended by themselves, under faults
    latency_ms: LatencyMs = LatencyMs()
    # From the moment a message was sent, not from the moment it was due. The difference is the driver's part.
    latency_from_sending_ms: LatencyMs = LatencyMs()
    latency_error_ms: float | None = None  # at most so wrong, where Locust's workers go by clocks of several hosts
    clocks: list[HostClock] = []  # of these hosts, but for the coordinator's
    # How many independent messages the latencies are worth: a percentile rests on so many, not on its deliveries.
    independent_messages: int | None = None
    ack_ms: LatencyMs = LatencyMs()
    join_ms: LatencyMs = LatencyMs()  # from asking for a room to being in, of members who came meanwhile
    joins: int | None = None
    joins_redirected: int | None = None  # of these, by way of a gateway that does not serve the room
    resumed: Resumed | None = None  # None: no member asked for that
    heard_share: HeardShare = HeardShare()
    hot_room: HotRoom = HotRoom()
    spread_ms: SpreadMs = SpreadMs()
    send_lateness_ms: LatencyMs = LatencyMs()
    loop_lag_ms: LatencyMs = LatencyMs()  # of the audience process that lagged most, weighted by time
    publishes_per_s: float | None = None
    deliveries_per_s: float | None = None
    wasted_deliveries_per_message: float | None = None
    frames_per_write: float | None = None  # how many of a room's messages one write to a member carried
    each_gateway: list[GatewayFigures] = []
    gateway_counts: dict[str, int] | None = None  # what happened at the gateways, and every drop by its cause
    cpu_us_per_delivery: CpuUsPerDelivery = CpuUsPerDelivery()
    kafka_cpu: KafkaCpu | None = None  # None: no Kafka, not started by the run, or /proc does not tell threads apart
    threads: list[ThreadGroup] = []  # of gateways and backends of this host, the one with the busiest thread first
    cpu_resolution_us: dict[str, int] = {}  # of its CPU time in the measurement; 0: nanoseconds
    idle_cpu_ms_per_s: dict[str, float] | None = None  # by component, before anybody sent; of a comparison's runs
    idle_compiler_ms_per_s: float | None = None  # of it, what the compiler of Kafka's JVMs used
    idle_slowness_ms: float | None = None  # the next one, while nobody sent
    slowness_ms: float | None = None  # CPU time of a fixed piece of work beside the run; of a comparison's runs
    cores_used: dict[str, float] | None = None  # CPU time over wall time, by component and by process of the driver
    rss_bytes: dict[str, int] | None = None
    kafka: KafkaPerMessage | None = None  # None: the architecture uses none
    redis: RedisPerMessage | None = None
    nats: NatsPerMessage | None = None
    stages: Stages | None = None  # where the time of messages went; None: nothing was traced
    promises: list[PromiseCheck] = []
    driver: DriverVerdict = DriverVerdict(valid=None, why=None)
    classes: list[ClassFigures] = []  # of members; the classes' figures add up to those above

    @property
    def messages_behind_percentiles(self) -> int:
        """How many messages the percentiles rest on: the independent ones, or all of a record that does not say."""
        return (self.sent if self.independent_messages is None else self.independent_messages) or 0

    @property
    def use(self) -> Use:
        """How much of the chat was in use; all figures are 0 if nothing was measured."""
        refused = self.refused or {}
        not_sent = self.not_sent or 0
        return Use(
            scheduled=(self.sent or 0) + refused.get("not_in_the_room", 0) + not_sent,
            silenced=sum(refused.values()) + not_sent,
            expected=self.expected or 0,
            neither=self.neither or 0,
        )
