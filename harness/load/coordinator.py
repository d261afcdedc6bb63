"""All pools of a test as one: it gives the orders, counts what they tell, and makes one result of their reports.

It lives in Locust's local runner, beside the only pool, or in the master, above the workers' pools.
"""

from __future__ import annotations

import csv
import io
import math
import os
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from importlib.metadata import version
from typing import Any, NamedTuple, TypeVar, cast
from weakref import WeakKeyDictionary

import gevent
import locust.stats
import msgspec
from locust.env import Environment
from locust.runners import STATE_MISSING, MasterRunner
from locust.stats import CSVWriter, StatsEntry

from harness.core.errors import UsageError
from harness.core.escapes import SpreadsheetRows
from harness.core.gc_tuning import collect_seldom
from harness.core.registry import source_digests
from harness.ipc import messages as msg
from harness.ipc.class_plan import ClassPlan, MessageKind
from harness.ledger.fairness import heard_share, hot_room
from harness.ledger.judge import judge
from harness.ledger.recovery import recovery
from harness.load.classes import kinds_of, plan_classes
from harness.load.clock_sync import WorkerClocks
from harness.load.frame_budget import check_frames
from harness.load.kinds import kind_results
from harness.load.mistakes import ScenarioMistake, scenario_of, told
from harness.load.process_usage import Usage, all_used, numbered
from harness.measure.clock_offset import HostClock
from harness.measure.histogram import Latencies
from harness.measure.validity import LATE_PERCENTILE

ROW_TYPE = "chat"  # the "method" of all rows in Locust's statistics
ANSWER_TIMEOUT_S = 30.0
PROBE_SLACK_S = 10.0
# A phase is over when nothing is owed any more and it has been quiet for a moment (a duplicate may follow), or when
# nothing at all has come for as long as its patience lasts and nothing more can, or when it never gets quiet.
QUIET_S = 0.25
DRAIN_MAX_S = 10.0  # beyond its patience
CHECK_S = 0.02
Answer = TypeVar("Answer", bound=msg.Struct)


class _Owed(NamedTuple):
    """What is missing when it is quiet."""

    anything: bool
    may_come: bool  # of some of it, as of what waits in a part of the system that stands still


class Worker:
    """One Locust process with a pool, as seen from here."""

    def __init__(self, identity: str, rank: int) -> None:
        self.identity = identity
        self.rank = rank
        self.assembled: msg.Assembled | None = None
        self.begin_phase()

    def begin_phase(self) -> None:
        self.ticks: dict[int, msg.AudienceSecond] = {}
        self.unsaid: msg.Unsaid | None = None
        self.progress: msg.DrainProgress | None = None
        self.histories: msg.Histories | None = None
        self.report: msg.PhaseReport | None = None
        self.probed: msg.Probed | None = None
        self.rates: msg.Rates | None = None


class Coordinator:
    """Conducts the pools of one Environment."""

    def __init__(
        self, environment: Environment, on_news: Callable[[msg.FromCoordinator | msg.MemberFailed], None]
    ) -> None:
        self._environment = environment
        self._runner = cast(Any, environment.runner)  # what it sends and takes has no types
        self._on_news = on_news
        self._decode = msgspec.msgpack.Decoder(msg.FromMemberPool).decode
        self._workers: dict[str, Worker] = {}
        self._clocks = WorkerClocks(lambda identity: self._send(self._workers[identity], msg.AskTime()))
        self._master = Usage({"locust master": os.getpid()})
        self._lost = 0
        self._phase: msg.BeginPhase | None = None
        self._end_ns = 0
        self._faults_ns: list[int] = []
        self._next_second = 0
        self._load: msg.Load | None = None
        self._frames_per_s = 0.0
        self._classes: list[ClassPlan] = []
        self._kinds: list[MessageKind] = []
        self._class_rates: dict[str, float] = {}  # of members at their most active; empty: not known
        self._rate_scale = 1.0
        # What the next test will be, for a shape that is asked for members before the test has begun.
        self.upcoming: Callable[[], msg.Load] | None = None
        self.joined = 0
        self.failures: list[str] = []
        self.last_second: msg.Second | None = None
        self._runner.register_message(msg.NEWS, self._hear)
        COORDINATORS[environment] = self

    @property
    def load(self) -> msg.Load:
        if self._load is None:
            assert self.upcoming is not None
            return self.upcoming()
        return self._load

    def forget(self) -> None:
        """The test is over; another may come."""
        self._load = None

    # --- pools

    def assemble(self, load: msg.Load, urls: list[str], frames_per_s: float) -> None:
        """A pool in each Locust process that is there; the gateways take so many frames from one member.

        Raises TimeoutError, and UsageError for a process that differs, for a scenario that cannot be and for a load
        that is too fast for these gateways.
        """
        check_frames(load, frames_per_s)
        self._load, self._frames_per_s = load, frames_per_s
        self._rate_scale, self._class_rates = 1.0, {}
        self.joined, self.failures, self._lost, self.last_second = 0, [], 0, None
        identities = self._identities()
        try:
            self._kinds = kinds_of(self._environment.user_classes)
            self._classes = plan_classes(self._environment.user_classes, load.members, identities)
        except ScenarioMistake as problem:
            raise UsageError(told(problem, scenario_of(self._environment))) from problem
        self._workers = {identity: Worker(identity, rank) for rank, identity in enumerate(identities)}
        for worker in self._workers.values():
            ranks = {"worker": worker.rank, "workers": len(identities)}
            self._send(worker, msg.Assemble(load=load, classes=self._classes, urls=urls, **ranks))
        gevent.spawn(self._watch_workers, self._workers)
        sources = source_digests(self._environment.user_classes)
        for assembled in self._await(lambda worker: worker.assembled, ANSWER_TIMEOUT_S):
            _check_same(assembled, sources)
        self._compare_clocks()

    def _compare_clocks(self) -> None:
        """Tell the workers how far their clocks are ahead of this one."""
        if not isinstance(self._runner, MasterRunner):
            return
        for identity, ahead_ns in self._clocks.compare(self._workers).items():
            if (worker := self._workers.get(identity)) is not None:
                self._send(worker, msg.FollowClock(ahead_ns=ahead_ns))

    def _identities(self) -> list[str]:
        if not isinstance(self._runner, MasterRunner):
            return ["local"]
        # Locust's dispatcher hands out users in this order too, so that the numbers of members have no gaps.
        return sorted(client.id for client in self._runner.clients.ready)

    def _send(self, worker: Worker, order: msg.ToMemberPool) -> None:
        self._runner.send_message(msg.ORDER, msgspec.msgpack.encode(order), client_id=worker.identity)

    def _order(self, order: msg.ToMemberPool) -> None:
        for worker in self._workers.values():
            self._send(worker, order)

    def _watch_workers(self, workers: dict[str, Worker]) -> None:
        """Note who is gone, by Locust's own heartbeat, as long as the test of these workers is on."""
        while isinstance(self._runner, MasterRunner) and workers is self._workers and self._load is not None:
            for identity in list(workers):
                node = self._runner.clients.get(identity)
                if node is None or node.state == STATE_MISSING:
                    del workers[identity]
                    self._lost += 1
                    if not workers:
                        self._on_news(msg.Failed(problem="the last Locust worker is gone"))
            gevent.sleep(CHECK_S)

    def _await(self, answer: Callable[[Worker], Answer | None], timeout_s: float) -> list[Answer]:
        """Every worker's answer, of those that are still there; raises TimeoutError."""
        deadline = time.monotonic() + timeout_s
        while any(answer(worker) is None for worker in self._workers.values()):
            if time.monotonic() > deadline:
                raise TimeoutError(f"a Locust worker gave no answer within {timeout_s:g} s")
            gevent.sleep(CHECK_S)
        return [given for worker in self._workers.values() if (given := answer(worker)) is not None]

    def _hear(self, **given: Any) -> None:
        heard_ns = time.time_ns()
        carrier = given["msg"]
        worker = self._workers.get(carrier.node_id)
        if worker is not None:  # else of an earlier test, or thought lost
            news = self._decode(carrier.data)
            if isinstance(news, msg.Time):
                self._clocks.hear(worker.identity, news, heard_ns)
            else:
                self._note(worker, news)

    def _note(self, worker: Worker, news: msg.FromMemberPool) -> None:
        match news:
            case msg.Assembled():
                worker.assembled = news
            case msg.Arrivals():
                self.joined += news.joined
                self._add_row("connect", _locust_ms(Counter(news.connect_ms)))
                self._add_row("join", _locust_ms(Counter(news.join_ms)))
            case msg.MemberFailed():
                self.failures.append(news.reason)
                self._on_news(news)
            case msg.AudienceSecond():
                worker.ticks[news.second] = news
                self._close_seconds()
            case msg.Unsaid():
                worker.unsaid = news
            case msg.DrainProgress():
                worker.progress = news
            case msg.Histories():
                worker.histories = news
            case msg.PhaseReport():
                worker.report = news
            case msg.Probed():
                worker.probed = news
            case msg.Rates():
                worker.rates = news
            case msg.Broken() | msg.Failed() | msg.Flooded():
                self._on_news(news)

    # --- phases

    def probe(self, order: msg.Probe) -> str | None:
        """Blocks until every member hears what it must; returns what is wrong, or None.

        Raises TimeoutError, and UsageError where nobody would say anything, or somebody more than the gateways take.
        """
        self._learn_rates()
        for worker in self._workers.values():
            worker.probed = None
        self._order(order)
        answers = self._await(lambda worker: worker.probed, order.timeout_s + PROBE_SLACK_S)
        return next((answer.problem for answer in answers if answer.problem is not None), None)

    def _learn_rates(self) -> None:
        """What the members would say together, to be made the run's rate: a class may say less than its part, or more.

        Where not all are there yet, because a shape lets them come, what its classes say by themselves must do.
        """
        assert self._load is not None
        for worker in self._workers.values():
            worker.rates = None
        self._order(msg.AskRates())
        answers = self._await(lambda worker: worker.rates, ANSWER_TIMEOUT_S)
        there = sum(of_class.members for answer in answers for of_class in answer.classes.values())
        busiest_per_s = max(of_class.busiest_per_s for answer in answers for of_class in answer.classes.values())
        if there != self._load.members:
            check_frames(self._load, self._frames_per_s, busiest_per_s)
            return
        rates: Counter[str] = Counter()
        for answer in answers:
            rates.update({name: of_class.rate_per_s for name, of_class in answer.classes.items()})
        together = math.fsum(rates.values())
        if together == 0:
            raise UsageError(
                f"the scenario {scenario_of(self._environment)} says nothing: rate_per_s() gives 0 for each of its "
                f"{there} members; let some say more"
            )
        scale = self._load.rate_per_s / together
        self._rate_scale = 1.0 if math.isclose(scale, 1.0, rel_tol=1e-6) else scale
        self._class_rates = {name: rate * self._rate_scale for name, rate in rates.items()}
        check_frames(self._load, self._frames_per_s, busiest_per_s * self._rate_scale)

    def begin(self, phase: msg.BeginPhase) -> None:
        """Let members speak from the phase's start to its end, with fresh rows in Locust's statistics."""
        phase = msgspec.structs.replace(phase, rate_scale=self._rate_scale, kinds=len(self._kinds))
        stats = self._environment.stats
        before = [stats.get(name, ROW_TYPE) for name in ("connect", "join")]
        stats.clear_all()  # makes every entry anew
        for entry in before:  # these happen before any phase, and only once
            if entry.num_requests:
                stats.get(entry.name, ROW_TYPE).extend(entry)
                stats.total.extend(entry)
        for worker in self._workers.values():
            worker.begin_phase()
        self._phase, self._end_ns, self._next_second = phase, phase.end_ns, 0
        self._faults_ns = []
        if self._environment.shape_class is not None:
            self._environment.shape_class.reset_time()  # type: ignore[no-untyped-call]  # Locust's
        self._order(phase)
        gevent.spawn_later(max(0, phase.start_ns - time.time_ns()) / 1e9, self._master.begin)

    def end_now(self) -> None:
        self._end_ns = min(self._end_ns, time.time_ns())
        self._order(msg.CutShort(end_ns=self._end_ns))

    def slow_down(self, order: msg.SlowDown) -> None:
        self._order(order)

    def note_fault(self, at_ns: int) -> None:
        self._faults_ns.append(at_ns)

    def result(self) -> msg.PhaseResult:
        """Blocks until the phase has ended and what is in flight has come, or has been waited for long enough.

        Raises TimeoutError.
        """
        phase = self._phase
        assert phase is not None
        while time.time_ns() < self._end_ns:
            gevent.sleep(CHECK_S)  # end_now may bring it nearer
        used = self._master.end()
        unsaid = self._await(lambda worker: worker.unsaid, ANSWER_TIMEOUT_S)
        if phase.name == "measure":  # who is silent during the warm-up may speak later
            self._check_speaking(unsaid)
        drained = self._drain(phase.patience_s)
        self._order(msg.ClosePhase())
        reports = self._await(lambda worker: worker.report, ANSWER_TIMEOUT_S)
        self._close_seconds(last=True)
        self._phase = None
        self._compare_clocks()
        result = self._merge(phase, reports, drained, used)
        del reports
        for worker in self._workers.values():
            worker.begin_phase()
        collect_seldom()  # what was judged is much, and the next phase is about to begin
        return result

    def _check_speaking(self, unsaid: list[msg.Unsaid]) -> None:
        if unsaid and self.joined and not any(each.speaks for each in unsaid):
            raise UsageError(
                f"the scenario {scenario_of(self._environment)} says nothing: none of its tasks has called self.say"
            )

    def _drain(self, patience_s: float) -> bool:
        """Whether it got quiet, and nothing is owed that may still come."""
        began = changed = time.monotonic()
        before: list[msg.DrainProgress] = []
        owed: _Owed | None = None
        while time.monotonic() - began < patience_s + DRAIN_MAX_S:
            gevent.sleep(CHECK_S)
            progress = [worker.progress for worker in self._workers.values() if worker.progress is not None]
            if progress != before or len(progress) < len(self._workers):
                before, changed, owed = progress, time.monotonic(), None
            quiet_s = time.monotonic() - changed
            if quiet_s > QUIET_S and owed is None:
                owed = self._owed()
            if owed is not None and (not owed.anything or (quiet_s > patience_s and not owed.may_come)):
                return True
        return False

    def _owed(self) -> _Owed:
        for worker in self._workers.values():
            worker.histories = None
        self._order(msg.Collect())
        answers = self._await(lambda worker: worker.histories, ANSWER_TIMEOUT_S)
        verdict = judge([room for answer in answers for room in answer.rooms]).verdict
        may_come = verdict.not_drained > 0 or any(answer.unanswered for answer in answers)
        return _Owed(anything=may_come or verdict.lost > 0, may_come=may_come)

    def _merge(
        self, phase: msg.BeginPhase, reports: list[msg.PhaseReport], drained: bool, master: msg.Used
    ) -> msg.PhaseResult:
        judgement = judge([room for report in reports for room in report.rooms])
        spread = Latencies()
        spread.record_ns(judgement.spread_ns)
        not_taken_ns = [at_ns for report in reports for at_ns in report.not_taken_ns]
        refused: Counter[str] = Counter()
        for report in reports:
            refused.update(report.refused)
        lags = [Latencies.unpack(report.loop_lag) for report in reports]
        return msg.PhaseResult(
            phase=phase.name,
            verdict=judgement.verdict,
            latency=_sum(report.latency for report in reports).pack(),
            ack=_sum(report.ack for report in reports).pack(),
            spread=spread.pack(),
            send_lateness=_sum(report.send_lateness for report in reports).pack(),
            loop_lag=max(lags, key=lambda lag: lag.percentile_ms(LATE_PERCENTILE) or 0.0).pack(),
            clock_stepped_ns=max(report.clock_stepped_ns for report in reports),
            refused=dict(refused),
            strays=judgement.verdict.strays + sum(report.strays for report in reports),
            disconnects=sum(report.disconnects for report in reports),
            away=_sum(report.away for report in reports).pack(),
            away_at_end=sum(report.away_at_end for report in reports),
            join=_sum(report.join for report in reports).pack(),
            joins_redirected=sum(report.joins_redirected for report in reports),
            caught_up=_sum(report.caught_up for report in reports).pack(),
            heard_share=heard_share(judgement.fates),
            hot_room=hot_room(judgement.fates),
            recoveries=[
                recovery(judgement.fates, not_taken_ns, at_ns, (phase.start_ns, self._end_ns))
                for at_ns in self._faults_ns
            ],
            drained=drained,
            not_sent=sum(self._not_sent().values()),
            workers_lost=self._lost,
            used=self._used(master),
            clocks=self._host_clocks(),
            locust_stats_csv=self._stats_csv(),
            classes=self._class_results(),
            kinds=kind_results(self._kinds, judgement.fates, reports),
            members_changed=self._members_changed(),
        )

    def _unsaid(self) -> list[msg.Unsaid]:
        return [worker.unsaid for worker in self._workers.values() if worker.unsaid is not None]

    def _not_sent(self) -> Counter[str]:
        not_sent: Counter[str] = Counter()
        for unsaid in self._unsaid():
            not_sent.update(unsaid.not_sent)
        return not_sent

    def _class_results(self) -> list[msg.ClassResult]:
        not_sent = self._not_sent()
        return [
            msg.ClassResult(
                name=plan.name,
                members=plan.members,
                rate_per_s=self._class_rates.get(plan.name),
                not_sent=not_sent[plan.name],
            )
            for plan in self._classes
        ]

    def _members_changed(self) -> str | None:
        """Who came or went since the probe though no shape asked for it: then rate and members are not as asked."""
        came, went = (sum(getattr(unsaid, how) for unsaid in self._unsaid()) for how in ("came", "went"))
        if self._environment.shape_class is not None or not self._class_rates or came == went == 0:
            return None
        return f"{came} members came and {went} went under the load, which no shape of the scenario asked for"

    def _used(self, master: msg.Used) -> msg.Used:
        parts = [(worker.rank, worker.unsaid.used) for worker in self._workers.values() if worker.unsaid is not None]
        if not isinstance(self._runner, MasterRunner):
            return all_used(used for _rank, used in parts)
        if self._lost:
            return msg.Used(cpu_s=None, rss_bytes=None)
        return all_used([*(numbered(used, rank + 1) for rank, used in parts), master])

    def _host_clocks(self) -> list[HostClock]:
        seen = [self._clocks.seen(identity, worker.rank + 1) for identity, worker in self._workers.items()]
        return [each for each in seen if each is not None]

    # --- seconds, and Locust's statistics

    def _close_seconds(self, *, last: bool = False) -> None:
        """Tell every second that all workers have told."""
        while self._workers:
            newest = min(max(worker.ticks, default=-1) for worker in self._workers.values())
            if last:
                newest = max(max(worker.ticks, default=-1) for worker in self._workers.values())
            if newest < self._next_second or self._phase is None:
                return
            second, self._next_second = self._next_second, self._next_second + 1
            ticks = [worker.ticks.pop(second) for worker in self._workers.values() if second in worker.ticks]
            if ticks:
                self._close_second(self._phase.name, second, ticks)

    def _close_second(self, phase: str, second: int, ticks: list[msg.AudienceSecond]) -> None:
        latencies, acks = _sum(tick.latency for tick in ticks), _sum(tick.ack for tick in ticks)
        self._add_row("say->ack", _locust_ms(acks.recorded_ms()))
        self._add_row("deliver", _locust_ms(latencies.recorded_ms()))
        ms = latencies.summary()
        self.last_second = msg.Second(
            phase=phase,
            second=second,
            said=sum(tick.said for tick in ticks),
            acked=sum(tick.acked for tick in ticks),
            delivered=latencies.count,
            latency_p50_ms=ms.p50,
            latency_p90_ms=ms.p90,
            latency_p99_ms=ms.p99,
            latency_max_ms=ms.max,
        )
        self._on_news(self.last_second)

    def _add_row(self, name: str, counts: Counter[int]) -> None:
        """Add many responses at once, the way Locust merges a worker's report."""
        if not counts:
            return
        stats = self._environment.stats
        batch = StatsEntry(stats, name, ROW_TYPE)
        total = counts.total()
        now = time.time()
        batch.num_requests = total
        batch.total_response_time = sum(ms * count for ms, count in counts.items())
        batch.min_response_time = min(counts)
        batch.max_response_time = max(counts)
        batch.response_times = dict(counts)
        batch.num_reqs_per_sec = {int(now): total}
        batch.last_request_timestamp = now
        stats.get(name, ROW_TYPE).extend(batch)
        stats.total.extend(batch)

    def _stats_csv(self) -> str:
        out = io.StringIO()
        percentiles = locust.stats.PERCENTILES_TO_REPORT
        SafeStatsCSV(self._environment, percentiles).requests_csv(csv.writer(out))
        return out.getvalue()


class SafeStatsCSV(locust.stats.StatsCSV):
    """Locust's tables, with names and messages of the locustfile in them that no spreadsheet takes for formulas."""

    def requests_csv(self, csv_writer: CSVWriter) -> None:
        super().requests_csv(SpreadsheetRows(csv_writer))

    def failures_csv(self, csv_writer: CSVWriter) -> None:
        super().failures_csv(SpreadsheetRows(csv_writer))

    def exceptions_csv(self, csv_writer: CSVWriter) -> None:
        super().exceptions_csv(SpreadsheetRows(csv_writer))


def _check_same(assembled: msg.Assembled, sources: Mapping[str, str]) -> None:
    """A worker on another host has its own chatbench, and its own copies of the scenarios. Raises UsageError."""
    if assembled.version != version("chatbench"):
        raise UsageError(
            f"a Locust worker has chatbench {assembled.version}, and here it is {version('chatbench')}; "
            "install the same"
        )
    for member, digest in sources.items():
        if assembled.sources.get(member) != digest:
            raise UsageError(f"a Locust worker has another {member}, or none; give it the same file of that scenario")


COORDINATORS: WeakKeyDictionary[Environment, Coordinator] = WeakKeyDictionary()


def _sum(packed: Iterable[bytes]) -> Latencies:
    total = Latencies()
    for each in packed:
        total.add(Latencies.unpack(each))
    return total


def _locust_ms(latencies_ms: Mapping[float, int]) -> Counter[int]:
    """Whole milliseconds in the steps Locust keeps (1 below 100, 10 below 1000, and so on) -> count."""
    rounded: Counter[int] = Counter()
    for latency_ms, count in latencies_ms.items():
        ms, step = round(latency_ms), 1
        while ms // step >= 100:
            step *= 10
        rounded[round(ms / step) * step] += count
    return rounded
