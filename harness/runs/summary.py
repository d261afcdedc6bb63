"""summary.json: its keys, and how they follow from what a run measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec

from architectures.interface import Candidate
from harness.core.faults import Happened
from harness.gateway.settings import GatewayStats, total
from harness.ipc import messages as msg
from harness.ledger.fairness import HeardShare, HotRoom
from harness.measure.clock_offset import HostClock, latency_error_ms
from harness.measure.histogram import Latencies, LatencyMs
from harness.measure.validity import DriverVerdict, judge_driver
from harness.runs.promises import PromiseCheck, Use, check_expectations, check_promises
from harness.services.kafka.metrics import KafkaCounters
from harness.services.nats.metrics import NatsCounters
from harness.services.redis.metrics import RedisCounters

SCHEMA = 2


class SpreadMs(msgspec.Struct, frozen=True):
    """From the first to the last recipient of a message. None: not measured."""

    p50: float | None = None
    p99: float | None = None
    max: float | None = None


class CpuUsPerDelivery(msgspec.Struct, frozen=True):
    """None for a component that this run did not have."""

    gateway: float | None = None
    kafka: float | None = None
    redis: float | None = None
    nats: float | None = None
    driver: float | None = None


class BrokerPerMessage(msgspec.Struct, frozen=True):
    """What one broker had of a message."""

    appends_per_message: float | None  # records written to its logs, as leader or as follower
    produce_requests_per_message: float | None
    disk_bytes_per_message: float | None


class KafkaPerMessage(msgspec.Struct, frozen=True):
    """Of all brokers together, and of each."""

    records_per_message: float | None = None
    produce_requests_per_message: float | None = None
    bytes_in_per_message: float | None = None
    bytes_out_per_message: float | None = None
    disk_bytes_per_message: float | None = None
    brokers: dict[int, BrokerPerMessage] = {}  # by node


class RedisPerMessage(msgspec.Struct, frozen=True):
    commands_per_message: float | None = None
    bytes_in_per_message: float | None = None
    bytes_out_per_message: float | None = None


class NatsPerMessage(msgspec.Struct, frozen=True):
    messages_in_per_message: float | None = None
    messages_out_per_message: float | None = None
    bytes_in_per_message: float | None = None  # of payloads
    bytes_out_per_message: float | None = None


class GatewayFigures(msgspec.Struct, frozen=True):
    """What one gateway did in the measurement. None: not counted, by a gateway of somebody else's."""

    members: int  # at its end
    deliveries: int | None
    wasted: int | None
    bytes_to_members: int | None
    cores_used: float | None  # None: it was killed


class Resumed(msgspec.Struct, frozen=True, kw_only=True):
    """What became of members who, on coming back to a room, asked for what they had missed. None: not measured."""

    returns: int
    away: int  # messages said between two stays of such a member, counted for each
    missed: int  # of these: never heard by that member
    repeated: int  # told, though heard before, or said before they first came
    caught_up_ms: LatencyMs  # from asking to come in again to having what was missed; none where nothing is kept


class FaultSeen(msgspec.Struct, frozen=True, kw_only=True):
    """A fault that was asked for and came. None: not within the measurement, or too little was said to tell."""

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
    """What became of one kind of message in the measurement: of those that one class's `say(..., kind=name)` sent."""

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
    latency_error_ms: float | None = None  # at most so wrong, where Locust's workers go by clocks of several hosts
    clocks: list[HostClock] = []  # of these hosts, but for the coordinator's
    ack_ms: LatencyMs = LatencyMs()
    join_ms: LatencyMs = LatencyMs()  # from asking for a room to being in, of members who came meanwhile
    joins: int | None = None
    joins_redirected: int | None = None  # of these, by way of a gateway that does not serve the room
    resumed: Resumed | None = None  # None: no member asked for that
    heard_share: HeardShare = HeardShare()
    hot_room: HotRoom = HotRoom()
    spread_ms: SpreadMs = SpreadMs()
    send_lateness_ms: LatencyMs = LatencyMs()
    publishes_per_s: float | None = None
    deliveries_per_s: float | None = None
    wasted_deliveries_per_message: float | None = None
    frames_per_write: float | None = None  # how many of a room's messages one write to a member carried
    each_gateway: list[GatewayFigures] = []
    gateway_counts: dict[str, int] | None = None  # what happened at the gateways, and every drop by its cause
    cpu_us_per_delivery: CpuUsPerDelivery = CpuUsPerDelivery()
    cpu_resolution_us: dict[str, int] = {}  # of its CPU time in the measurement; 0: nanoseconds
    cores_used: dict[str, float] | None = None  # CPU time over wall time, by component and by process of the driver
    rss_bytes: dict[str, int] | None = None
    kafka: KafkaPerMessage | None = None  # None: the architecture uses none
    redis: RedisPerMessage | None = None
    nats: NatsPerMessage | None = None
    promises: list[PromiseCheck] = []
    driver: DriverVerdict = DriverVerdict(valid=None, why=None)
    classes: list[ClassFigures] = []  # of members; the classes' figures add up to those above

    @property
    def use(self) -> Use:
        """All of it 0 where nothing was measured."""
        refused = self.refused or {}
        not_sent = self.not_sent or 0
        return Use(
            scheduled=(self.sent or 0) + refused.get("not_in_the_room", 0) + not_sent,
            silenced=sum(refused.values()) + not_sent,
            expected=self.expected or 0,
            neither=self.neither or 0,
        )


@dataclass(frozen=True, slots=True)
class Measured:
    """What the measured phase gave; None where an interruption came first, or there is no such service."""

    result: msg.PhaseResult
    duration_s: float
    cpu_s: dict[str, float]  # of the services
    cpu_resolution_s: Mapping[str, float]  # of that: less cannot be told from none
    driver_cpu_s: dict[str, float] | None  # of each process of the driver; None: one has ended
    rss_bytes: dict[str, int] | None
    kafka: KafkaCounters | None
    redis: RedisCounters | None
    nats: NatsCounters | None
    gateways: Mapping[str, GatewayStats] | None  # by process
    gateway_cpu_s: Mapping[str, float]  # by process; one that has ended is missing
    gateways_gone: bool = False  # some ended, and what they had counted with them
    happened: Sequence[Happened] = ()
    ended: Sequence[str] = ()

    def add_to(self, summary: Summary, architecture: type[Candidate]) -> Summary:
        verdict = self.result.verdict
        spread = Latencies.unpack(self.result.spread).summary()
        send_lateness = Latencies.unpack(self.result.send_lateness)
        latency, ack = Latencies.unpack(self.result.latency), Latencies.unpack(self.result.ack)
        join = Latencies.unpack(self.result.join)
        gateways = None if self.gateways is None else total(self.gateways.values())
        measured = msgspec.structs.replace(
            summary,
            duration_s=round(self.duration_s, 3),
            sent=verdict.sent,
            not_sent=self.result.not_sent,
            acked=verdict.acked,
            refused=self.result.refused,
            expected=verdict.expected,
            delivered=verdict.delivered,
            lost=verdict.lost,
            lost_acked=verdict.lost_acked,
            duplicated=verdict.duplicated,
            duplicated_on_return=verdict.duplicated_on_return,
            reordered=verdict.reordered,
            neither=verdict.neither,
            strays=self.result.strays,
            disconnects=self.result.disconnects,
            away_ms=Latencies.unpack(self.result.away).summary(),
            away_at_end=self.result.away_at_end,
            not_drained=verdict.not_drained,
            lost_in_break=verdict.lost_in_break,
            faults=self._faults(),
            ended=list(self.ended),
            latency_ms=latency.summary(),
            latency_error_ms=latency_error_ms(self.result.clocks),
            clocks=self.result.clocks,
            ack_ms=ack.summary(),
            join_ms=join.summary(),
            joins=join.count,
            joins_redirected=self.result.joins_redirected,
            resumed=self._resumed(),
            heard_share=self.result.heard_share,
            hot_room=self.result.hot_room,
            spread_ms=SpreadMs(p50=spread.p50, p99=spread.p99, max=spread.max),
            send_lateness_ms=send_lateness.summary(),
            publishes_per_s=_per(verdict.sent, self.duration_s),
            deliveries_per_s=_per(verdict.delivered, self.duration_s),
            wasted_deliveries_per_message=_per(
                None if gateways is None or self.gateways_gone else gateways.wasted, verdict.sent
            ),
            frames_per_write=None if gateways is None else _per(gateways.frames_out, gateways.writes),
            each_gateway=self._each_gateway(),
            gateway_counts=None if gateways is None else gateways.counts,
            cpu_us_per_delivery=self._cpu_us_per_delivery(),
            cpu_resolution_us={name: round(1e6 * step_s) for name, step_s in self.cpu_resolution_s.items()},
            cores_used={
                name: round(used / self.duration_s, 6)
                for name, used in (self.cpu_s | (self.driver_cpu_s or {})).items()
            },
            rss_bytes=self.rss_bytes,
            kafka=self._kafka_per_message() if architecture.requires.kafka else None,
            nats=self._nats_per_message() if architecture.requires.nats else None,
            redis=self._redis_per_message() if architecture.requires.any_redis else None,
            promises=check_promises(architecture.promises, verdict, [each.fault.kind for each in self.happened]),
            driver=judge_driver(
                send_lateness=send_lateness,
                loop_lag=Latencies.unpack(self.result.loop_lag),
                cpu_share={name: used / self.duration_s for name, used in (self.driver_cpu_s or {}).items()},
                sent=verdict.sent,
                not_sent=self.result.not_sent,
                below_zero=latency.below_zero + ack.below_zero + send_lateness.below_zero,
                clock_stepped_ns=self.result.clock_stepped_ns,
                drained=self.result.drained,
                workers_lost=self.result.workers_lost,
                latency_error_ms=latency_error_ms(self.result.clocks),
                latency_p50_ms=latency.summary().p50,
                latency_p99_ms=latency.summary().p99,
                members_changed=self.result.members_changed,
            ),
            classes=[self._of_class(each) for each in self.result.classes],
        )
        expected = self._expectations(measured, architecture)
        return msgspec.structs.replace(measured, promises=[*measured.promises, *expected])

    def _of_class(self, members: msg.ClassResult) -> ClassFigures:
        kinds = [each for each in self.result.kinds if each.member == members.name]
        return ClassFigures(
            name=members.name,
            members=members.members,
            rate_per_s=None if members.rate_per_s is None else round(members.rate_per_s, 3),
            sent=sum(each.sent for each in kinds),
            not_sent=members.not_sent,
            kinds=[
                KindFigures(
                    name=each.name,
                    sent=each.sent,
                    acked=each.acked,
                    expected=each.expected,
                    delivered=each.delivered,
                    lost=each.lost,
                    latency_ms=Latencies.unpack(each.latency).summary(),
                    ack_ms=Latencies.unpack(each.ack).summary(),
                )
                for each in kinds
            ],
        )

    def _expectations(self, measured: Summary, architecture: type[Candidate]) -> list[PromiseCheck]:
        recoveries = zip((each.fault.kind for each in self.happened), self.result.recoveries, strict=False)
        timed = measured.driver.valid is True
        return check_expectations(architecture.promises, list(recoveries), measured.use, timed=timed)

    def _resumed(self) -> Resumed | None:
        verdict = self.result.verdict
        if not verdict.returns:
            return None
        return Resumed(
            returns=verdict.returns,
            away=verdict.away,
            missed=verdict.missed,
            repeated=verdict.repeated,
            caught_up_ms=Latencies.unpack(self.result.caught_up).summary(),
        )

    def _faults(self) -> list[FaultSeen]:
        return [
            FaultSeen(
                fault=each.fault.kind,
                began_s=each.began_s,
                ended_s=each.ended_s,
                first_delivery_ms=recovery.first_delivery_ms,
                normal_ms=recovery.normal_ms,
                never_normal=recovery.never_normal,
                comparable=recovery.comparable,
                availability=recovery.availability,
            )
            for each, recovery in zip(self.happened, self.result.recoveries, strict=False)
        ]

    def _each_gateway(self) -> list[GatewayFigures]:
        return [
            GatewayFigures(
                members=stats.members,
                deliveries=stats.frames_out,
                wasted=stats.wasted,
                bytes_to_members=stats.bytes_out,
                cores_used=_per(self.gateway_cpu_s.get(process), self.duration_s),
            )
            for process, stats in (self.gateways or {}).items()
        ]

    def _cpu_us_per_delivery(self) -> CpuUsPerDelivery:
        def cost(cpu_s: float | None) -> float | None:
            return None if cpu_s is None else _per(1e6 * cpu_s, self.result.verdict.delivered)

        return CpuUsPerDelivery(
            gateway=cost(self.cpu_s.get("gateway")),
            kafka=cost(self.cpu_s.get("kafka")),
            redis=cost(self.cpu_s.get("redis")),
            nats=cost(self.cpu_s.get("nats")),
            driver=cost(sum(self.driver_cpu_s.values()) if self.driver_cpu_s else None),
        )

    def _kafka_per_message(self) -> KafkaPerMessage:
        if self.kafka is None:
            return KafkaPerMessage()
        sent, total_of_all = self.result.verdict.sent, self.kafka.total
        return KafkaPerMessage(
            records_per_message=_per(total_of_all.records, sent),
            produce_requests_per_message=_per(total_of_all.produce_requests, sent),
            bytes_in_per_message=_per(total_of_all.bytes_in, sent),
            bytes_out_per_message=_per(total_of_all.bytes_out, sent),
            disk_bytes_per_message=_per(total_of_all.disk_bytes, sent),
            brokers={
                node: BrokerPerMessage(
                    appends_per_message=_per(each.appends, sent),
                    produce_requests_per_message=_per(each.produce_requests, sent),
                    disk_bytes_per_message=_per(each.disk_bytes, sent),
                )
                for node, each in self.kafka.brokers.items()
            },
        )

    def _redis_per_message(self) -> RedisPerMessage:
        if self.redis is None:
            return RedisPerMessage()
        sent = self.result.verdict.sent
        return RedisPerMessage(
            commands_per_message=_per(self.redis.commands, sent),
            bytes_in_per_message=_per(self.redis.bytes_in, sent),
            bytes_out_per_message=_per(self.redis.bytes_out, sent),
        )

    def _nats_per_message(self) -> NatsPerMessage:
        if self.nats is None:
            return NatsPerMessage()
        sent = self.result.verdict.sent
        return NatsPerMessage(
            messages_in_per_message=_per(self.nats.in_msgs, sent),
            messages_out_per_message=_per(self.nats.out_msgs, sent),
            bytes_in_per_message=_per(self.nats.in_bytes, sent),
            bytes_out_per_message=_per(self.nats.out_bytes, sent),
        )


def _per(amount: float | None, of: float | None) -> float | None:
    return None if amount is None or not of else round(amount / of, 4)
