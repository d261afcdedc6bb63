"""Merges the reports of all workers into one result: verdict, histograms, classes and kinds. Pure functions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from harness.analysis.independence import independent_count
from harness.ipc import messages as msg
from harness.ipc.class_plan import ClassPlan, MessageKind
from harness.ledger.fairness import heard_share, hot_room
from harness.ledger.judge import Judgement, judge
from harness.ledger.message_times import MessageTimes
from harness.ledger.recovery import recovery
from harness.load.kinds import kind_results
from harness.measure.clock_offset import HostClock
from harness.measure.histogram import Latencies
from harness.measure.validity import LATE_PERCENTILE


@dataclass(frozen=True, slots=True)
class PhaseFacts:
    """What the coordinator knows about a phase, apart from the workers' reports."""

    name: str
    start_ns: int
    end_ns: int
    faults_ns: Sequence[int]
    drained: bool
    workers_lost: int
    used: msg.Used
    clocks: list[HostClock]
    locust_stats_csv: str
    classes: Sequence[ClassPlan]
    class_rates: Mapping[str, float]  # messages per second at their most active, by class; empty if not known
    kinds: Sequence[MessageKind]
    has_shape: bool  # the scenario has a shape, which may add and stop members


@dataclass(frozen=True, slots=True)
class Outstanding:
    """Whether deliveries or answers are missing once nothing arrives any more."""

    anything: bool
    may_come: bool  # some of them may still come, for example from a component that is paused


def merge(facts: PhaseFacts, reports: Sequence[msg.PhaseReport], unsaid: Sequence[msg.Unsaid]) -> msg.PhaseResult:
    """Merge the reports of all remaining workers into one result. `reports` must not be empty."""
    judgement = judge([room for report in reports for room in report.rooms])
    spread = Latencies()
    spread.record_ns(judgement.spread_ns)
    not_taken_ns = [at_ns for report in reports for at_ns in report.not_taken_ns]
    refused: Counter[str] = Counter()
    for report in reports:
        refused.update(report.refused)
    lags = [Latencies.unpack(report.loop_lag) for report in reports]
    not_sent = _not_sent(unsaid)
    messages = MessageTimes.of(judgement.fates, facts.start_ns) if facts.name == "measure" else None
    return msg.PhaseResult(
        phase=facts.name,
        verdict=judgement.verdict,
        latency=total(report.latency for report in reports).pack(),
        latency_from_sending=_from_sending(reports, judgement).pack(),
        ack=total(report.ack for report in reports).pack(),
        spread=spread.pack(),
        send_lateness=total(report.send_lateness for report in reports).pack(),
        loop_lag=max(lags, key=lambda lag: lag.percentile_ms(LATE_PERCENTILE) or 0.0).pack(),
        clock_stepped_ns=max(report.clock_stepped_ns for report in reports),
        refused=dict(refused),
        strays=judgement.verdict.strays + sum(report.strays for report in reports),
        disconnects=sum(report.disconnects for report in reports),
        away=total(report.away for report in reports).pack(),
        away_at_end=sum(report.away_at_end for report in reports),
        join=total(report.join for report in reports).pack(),
        joins_redirected=sum(report.joins_redirected for report in reports),
        caught_up=total(report.caught_up for report in reports).pack(),
        heard_share=heard_share(judgement.fates),
        hot_room=hot_room(judgement.fates),
        recoveries=[
            recovery(judgement.fates, not_taken_ns, at_ns, (facts.start_ns, facts.end_ns)) for at_ns in facts.faults_ns
        ],
        drained=facts.drained,
        not_sent=sum(not_sent.values()),
        workers_lost=facts.workers_lost,
        used=facts.used,
        clocks=facts.clocks,
        locust_stats_csv=facts.locust_stats_csv,
        classes=_class_results(facts, not_sent),
        kinds=kind_results(facts.kinds, judgement.fates, reports),
        messages=None if messages is None else messages.thinned(),
        independent_messages=None if messages is None else independent_count(messages.latencies_ns()),
        members_changed=_members_changed(facts, unsaid),
    )


def merge_second(
    phase: str,
    second: int,
    ticks: Sequence[msg.AudienceSecond],
    latencies: Latencies,
    *,
    master_cpu_ms: float | None,
    workers: int,
) -> msg.Second:
    """Merge the reports of one second; `latencies` is the sum of their histograms.

    The CPU time is known only if all `workers` that the test began with have reported theirs.
    """
    used_ms = [master_cpu_ms, *(tick.cpu_ms for tick in ticks)]
    known_ms = [each for each in used_ms if each is not None]
    ms = latencies.summary()
    return msg.Second(
        phase=phase,
        second=second,
        said=sum(tick.said for tick in ticks),
        acked=sum(tick.acked for tick in ticks),
        delivered=latencies.count,
        latency_p50_ms=ms.p50,
        latency_p90_ms=ms.p90,
        latency_p99_ms=ms.p99,
        latency_max_ms=ms.max,
        driver_cpu_ms=round(sum(known_ms), 3) if len(known_ms) == 1 + workers else None,
    )


def outstanding(histories: Sequence[msg.Histories]) -> Outstanding:
    """Judge what all workers have heard so far, and return whether something is still missing."""
    verdict = judge([room for each in histories for room in each.rooms]).verdict
    may_come = verdict.not_drained > 0 or any(each.unanswered for each in histories)
    return Outstanding(anything=may_come or verdict.lost > 0, may_come=may_come)


def total(packed: Iterable[bytes]) -> Latencies:
    """Return the sum of packed histograms."""
    everything = Latencies()
    for each in packed:
        everything.add(Latencies.unpack(each))
    return everything


def _from_sending(reports: Sequence[msg.PhaseReport], judgement: Judgement) -> Latencies:
    """Return all latencies from the moment of sending, also where sender and recipient were in different processes."""
    everything = total(report.latency_from_sending for report in reports)
    for report in reports:
        everything.record_ns(*report.receipts.since_sending_ns(judgement.fates))
    return everything


def _not_sent(unsaid: Sequence[msg.Unsaid]) -> Counter[str]:
    """Return how many messages were due but not sent, by class of members."""
    not_sent: Counter[str] = Counter()
    for each in unsaid:
        not_sent.update(each.not_sent)
    return not_sent


def _class_results(facts: PhaseFacts, not_sent: Counter[str]) -> list[msg.ClassResult]:
    return [
        msg.ClassResult(
            name=plan.name,
            members=plan.members,
            rate_per_s=facts.class_rates.get(plan.name),
            not_sent=not_sent[plan.name],
        )
        for plan in facts.classes
    ]


def _members_changed(facts: PhaseFacts, unsaid: Sequence[msg.Unsaid]) -> str | None:
    """Say in a sentence how many members came or went without a shape: the load was then not the requested one."""
    came, went = sum(each.came for each in unsaid), sum(each.went for each in unsaid)
    if facts.has_shape or not facts.class_rates or came == went == 0:
        return None
    return f"{came} members came and {went} went during the load, although the scenario has no shape"
