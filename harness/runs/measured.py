"""What a run measured, and how the figures of its summary follow from that."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec

from architectures.interface import Candidate, Requirements
from harness.core.faults import Happened
from harness.core.units import per, utc_text
from harness.gateway.settings import GatewayStats, total
from harness.ipc import messages as msg
from harness.ledger.stages import Stages
from harness.measure.clock_offset import latency_error_ms
from harness.measure.histogram import Latencies
from harness.measure.machine_speed import slowness_ms
from harness.measure.resources import CpuUsed
from harness.measure.threads import GroupUse
from harness.measure.validity import judge_driver
from harness.runs.promises import PromiseCheck, check_expectations, check_promises
from harness.runs.summary import (
    ClassFigures,
    CpuUsPerDelivery,
    FaultSeen,
    GatewayFigures,
    KafkaCpu,
    KindFigures,
    Resumed,
    SpreadMs,
    Summary,
    ThreadGroup,
)
from harness.services.backend import Counters
from harness.services.backends import required_types

THREAD_CORES_MIN = 0.01  # the record has no threads that used less of a core


@dataclass(frozen=True, slots=True)
class Measured:
    """The measured phase. None: an interruption came first."""

    result: msg.PhaseResult
    start_ns: int  # of the phase, since the epoch
    duration_s: float
    cpu: CpuUsed  # CPU time of gateways and backends
    cpu_resolution_s: Mapping[str, float]  # the least of it that can be told from none
    driver_cpu_s: dict[str, float] | None  # of each process of the driver; None: one has ended
    rss_bytes: dict[str, int] | None
    counters: Mapping[str, Counters]  # of backends, by component; one whose counters could not be read is missing
    gateways: Mapping[str, GatewayStats] | None  # by process
    threads: Sequence[GroupUse] = ()  # of gateways and backends
    gateways_gone: bool = False  # some have ended, and their counters with them
    stages: Stages | None = None  # of the messages that were traced
    happened: Sequence[Happened] = ()
    ended: Sequence[str] = ()

    def add_to(self, summary: Summary, architecture: type[Candidate]) -> Summary:
        """The summary with everything that follows from what was measured."""
        verdict = self.result.verdict
        spread = Latencies.unpack(self.result.spread).summary()
        send_lateness = Latencies.unpack(self.result.send_lateness)
        loop_lag = Latencies.unpack(self.result.loop_lag)
        latency, ack = Latencies.unpack(self.result.latency), Latencies.unpack(self.result.ack)
        join = Latencies.unpack(self.result.join)
        gateways = None if self.gateways is None else total(self.gateways.values())
        measured = msgspec.structs.replace(
            summary,
            measured_from_utc=utc_text(self.start_ns),
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
            latency_from_sending_ms=Latencies.unpack(self.result.latency_from_sending).summary(),
            latency_error_ms=latency_error_ms(self.result.clocks),
            clocks=self.result.clocks,
            independent_messages=self.result.independent_messages,
            ack_ms=ack.summary(),
            join_ms=join.summary(),
            joins=join.count,
            joins_redirected=self.result.joins_redirected,
            resumed=self._resumed(),
            heard_share=self.result.heard_share,
            hot_room=self.result.hot_room,
            spread_ms=SpreadMs(p50=spread.p50, p99=spread.p99, max=spread.max),
            send_lateness_ms=send_lateness.summary(),
            loop_lag_ms=loop_lag.summary(),
            publishes_per_s=per(verdict.sent, self.duration_s),
            deliveries_per_s=per(verdict.delivered, self.duration_s),
            wasted_deliveries_per_message=per(
                None if gateways is None or self.gateways_gone else gateways.wasted, verdict.sent
            ),
            frames_per_write=None if gateways is None else per(gateways.frames_out, gateways.writes),
            each_gateway=self._each_gateway(),
            gateway_counts=None if gateways is None else gateways.counts,
            cpu_us_per_delivery=self._cpu_us_per_delivery(),
            kafka_cpu=self._kafka_cpu(),
            threads=self._threads(),
            slowness_ms=slowness_ms(self.cpu.speed_probe_s, self.duration_s),
            cpu_resolution_us={name: round(1e6 * step_s) for name, step_s in self.cpu_resolution_s.items()},
            cores_used={
                name: round(used / self.duration_s, 6)
                for name, used in (self.cpu.by_component | (self.driver_cpu_s or {})).items()
            },
            rss_bytes=self.rss_bytes,
            **self._per_message(architecture.requires),
            stages=self.stages,
            promises=check_promises(architecture.promises, verdict, [each.fault.kind for each in self.happened]),
            driver=judge_driver(
                send_lateness=send_lateness,
                loop_lag=loop_lag,
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
                cores_used=per(self.cpu.by_gateway.get(process), self.duration_s),
            )
            for process, stats in (self.gateways or {}).items()
        ]

    def _cpu_us_per_delivery(self) -> CpuUsPerDelivery:
        def cost(cpu_s: float) -> float | None:
            return per(1e6 * cpu_s, self.result.verdict.delivered)

        return CpuUsPerDelivery(
            driver=cost(sum(self.driver_cpu_s.values())) if self.driver_cpu_s else None,
            **{component: cost(used_s) for component, used_s in self.cpu.by_component.items()},
        )

    def _kafka_cpu(self) -> KafkaCpu | None:
        threads, used_s = self.cpu.jvms.get("kafka"), self.cpu.by_component.get("kafka")
        if threads is None or used_s is None:
            return None
        return KafkaCpu(
            compiler_ms=round(1_000 * threads.compiler_s, 3),
            collector_ms=round(1_000 * threads.collector_s, 3),
            rest_ms=round(1_000 * max(0.0, used_s - threads.compiler_s - threads.collector_s), 3),
        )

    def _threads(self) -> list[ThreadGroup]:
        groups = [
            ThreadGroup(
                component=each.component,
                group=each.group,
                threads=each.threads,
                cores_used=round(each.used_s / self.duration_s, 4),
                busiest_cores=round(each.busiest_s / self.duration_s, 4),
            )
            for each in self.threads
        ]
        return [each for each in groups if each.busiest_cores >= THREAD_CORES_MIN]

    def _per_message(self, requires: Requirements) -> dict[str, msgspec.Struct]:
        """The figures of every backend that the architecture requires, by their keys in the summary."""
        sent = self.result.verdict.sent
        return {
            each.component: self.counters[each.component].per_message(sent)
            if each.component in self.counters
            else each.not_counted
            for each in required_types(requires)
        }
