"""The coordinator of all member pools of a test: it gives them orders and merges their answers into one result.

It runs in Locust's local runner, beside the only pool, or in Locust's master, above the workers' pools.
"""

from __future__ import annotations

import math
import os
import time
from collections import Counter
from collections.abc import Callable
from weakref import WeakKeyDictionary

import gevent
import msgspec
from locust.env import Environment

from harness.core.errors import UsageError
from harness.core.gc_tuning import collect_seldom
from harness.ipc import messages as msg
from harness.ipc.class_plan import ClassPlan, MessageKind
from harness.load.classes import kinds_of, plan_classes
from harness.load.frame_budget import check_frames
from harness.load.locust_stats import add_row, clear_rows, stats_csv
from harness.load.merge import Outstanding, PhaseFacts, merge, merge_second, outstanding, total
from harness.load.mistakes import ScenarioMistake, mistake_text, scenario_of
from harness.load.pools import ANSWER_TIMEOUT_S, CHECK_S, Pool, Pools
from harness.load.process_usage import Usage, all_used, numbered

PROBE_SLACK_S = 10.0
# The drain of a phase ends when nothing is outstanding and it has been quiet for a moment (a duplicate may follow), or
# when nothing has come for the phase's patience and nothing more can come, or after DRAIN_MAX_S if it never gets quiet.
QUIET_S = 0.25
DRAIN_MAX_S = 10.0  # beyond its patience


class Coordinator:
    """Gives orders to the member pools of one Locust environment."""

    def __init__(
        self, environment: Environment, on_news: Callable[[msg.FromCoordinator | msg.MemberFailed], None]
    ) -> None:
        self._environment = environment
        self._on_news = on_news
        self._pools = Pools(environment, self._note, on_news)
        self._master = Usage({"locust master": os.getpid()})
        self._phase: msg.BeginPhase | None = None
        self._end_ns = 0
        self._faults_ns: list[int] = []
        self._next_second = 0
        self._load: msg.Load | None = None
        self._frames_per_s = 0.0
        self._classes: list[ClassPlan] = []
        self._kinds: list[MessageKind] = []
        self._class_rates: dict[str, float] = {}  # messages per second at their most active; empty: not known
        self._rate_scale = 1.0
        # Returns the load of the next test, for a shape whose tick Locust calls before the test has begun.
        self.upcoming: Callable[[], msg.Load] | None = None
        self.joined = 0
        self.failures: list[str] = []
        self.last_second: msg.Second | None = None
        COORDINATORS[environment] = self

    @property
    def load(self) -> msg.Load:
        if self._load is None:
            assert self.upcoming is not None
            return self.upcoming()
        return self._load

    def forget(self) -> None:
        """End the test; another may follow."""
        self._load = None
        self._pools.forget()

    def assemble(self, load: msg.Load, urls: list[str], frames_per_s: float) -> None:
        """Make a pool in each connected Locust process. `frames_per_s` is what the gateways accept from one member.

        Raises TimeoutError, and UsageError for a process with another version or scenario, for a mistake in the
        scenario, and for a load that is too fast for these gateways.
        """
        check_frames(load, frames_per_s)
        self._load, self._frames_per_s = load, frames_per_s
        self._rate_scale, self._class_rates = 1.0, {}
        self.joined, self.failures, self.last_second = 0, [], None
        identities = self._pools.connected()
        try:
            self._kinds = kinds_of(self._environment.user_classes)
            self._classes = plan_classes(self._environment.user_classes, load.members, identities)
        except ScenarioMistake as problem:
            raise UsageError(mistake_text(problem, scenario_of(self._environment))) from problem
        order = msg.Assemble(
            load=load,
            classes=self._classes,
            kinds=self._kinds,
            urls=urls,
            worker=0,
            workers=len(identities),
            protocol=msg.protocol(),
        )
        self._pools.assemble(identities, lambda rank: msgspec.structs.replace(order, worker=rank))

    def _note(self, pool: Pool, news: msg.FromMemberPool) -> None:
        match news:
            case msg.Arrivals():
                self.joined += news.joined
                add_row(self._environment.stats, "connect", Counter(news.connect_ms))
                add_row(self._environment.stats, "join", Counter(news.join_ms))
            case msg.MemberFailed():
                self.failures.append(news.reason)
                self._on_news(news)
            case msg.AudienceSecond():
                pool.ticks[news.second] = news
                self._close_seconds()
            case msg.Unsaid():
                pool.unsaid = news
            case msg.DrainProgress():
                pool.progress = news
            case msg.Histories():
                pool.histories = news
            case msg.PhaseReport():
                pool.report = news
            case msg.Probed():
                pool.probed = news
            case msg.Rates():
                pool.rates = news
            case msg.Broken() | msg.Failed() | msg.Flooded():
                self._on_news(news)

    # --- phases

    def probe(self, order: msg.Probe) -> str | None:
        """Block until every member hears what it must; return None, or what is wrong.

        Raises TimeoutError, and UsageError if no member would say anything, or one more than the gateways accept.
        """
        self._learn_rates()
        for pool in self._pools:
            pool.probed = None
        self._pools.order(order)
        answers = self._pools.answers(lambda pool: pool.probed, order.timeout_s + PROBE_SLACK_S)
        return next((answer.problem for answer in answers if answer.problem is not None), None)

    def _learn_rates(self) -> None:
        """Learn the sum of the members' rates, and the factor that makes it the run's rate.

        If a shape adds members later, so that not all have been spawned yet, the members' own rates are used unscaled.
        """
        assert self._load is not None
        for pool in self._pools:
            pool.rates = None
        self._pools.order(msg.AskRates())
        answers = self._pools.answers(lambda pool: pool.rates, ANSWER_TIMEOUT_S)
        spawned = sum(each.members for answer in answers for each in answer.classes.values())
        busiest_per_s = max(each.busiest_per_s for answer in answers for each in answer.classes.values())
        if spawned != self._load.members:
            check_frames(self._load, self._frames_per_s, busiest_per_s)
            return
        rates: Counter[str] = Counter()
        for answer in answers:
            rates.update({name: each.rate_per_s for name, each in answer.classes.items()})
        sum_per_s = math.fsum(rates.values())
        if sum_per_s == 0:
            raise UsageError(
                f"the scenario {scenario_of(self._environment)} sends no messages: rate_per_s() returns 0 for each of "
                f"its {spawned} members; return more for some of them"
            )
        scale = self._load.rate_per_s / sum_per_s
        self._rate_scale = 1.0 if math.isclose(scale, 1.0, rel_tol=1e-6) else scale
        self._class_rates = {name: rate * self._rate_scale for name, rate in rates.items()}
        check_frames(self._load, self._frames_per_s, busiest_per_s * self._rate_scale)

    def begin(self, phase: msg.BeginPhase) -> None:
        """Let members speak from the phase's start to its end, with fresh rows in Locust's statistics."""
        phase = msgspec.structs.replace(phase, rate_scale=phase.rate_scale * self._rate_scale, kinds=len(self._kinds))
        clear_rows(self._environment.stats)
        for pool in self._pools:
            pool.begin_phase()
        self._phase, self._end_ns, self._next_second = phase, phase.end_ns, 0
        self._faults_ns = []
        if self._environment.shape_class is not None:
            self._environment.shape_class.reset_time()  # type: ignore[no-untyped-call]  # Locust's
        self._pools.order(phase)
        gevent.spawn_later(max(0, phase.start_ns - time.time_ns()) / 1e9, self._master.begin)

    def end_now(self) -> None:
        self._end_ns = min(self._end_ns, time.time_ns())
        self._pools.order(msg.CutShort(end_ns=self._end_ns))

    def slow_down(self, order: msg.SlowDown) -> None:
        self._pools.order(order)

    def note_fault(self, at_ns: int) -> None:
        self._faults_ns.append(at_ns)

    def result(self) -> msg.PhaseResult:
        """Block until the phase has ended and its deliveries have drained, then return its result.

        Raises TimeoutError, and UsageError if no member has called `say`.
        """
        phase = self._phase
        assert phase is not None
        while time.time_ns() < self._end_ns:
            gevent.sleep(CHECK_S)  # end_now may move the end forward
        used = self._master.end()
        unsaid = self._pools.answers(lambda pool: pool.unsaid, ANSWER_TIMEOUT_S)
        if phase.name == "measure":  # members that are silent during the warm-up may speak later
            self._check_speaking(unsaid)
        drained = self._drain(phase.patience_s)
        self._pools.order(msg.ClosePhase())
        reports = self._pools.answers(lambda pool: pool.report, ANSWER_TIMEOUT_S)
        self._close_seconds(last=True)
        self._phase = None
        self._pools.compare_clocks()
        left = [pool.unsaid for pool in self._pools if pool.unsaid is not None]
        result = merge(self._facts(phase, drained, used), reports, left)
        del reports
        for pool in self._pools:
            pool.begin_phase()
        collect_seldom()  # the judged reports are large, and the next phase is about to begin
        return result

    def _check_speaking(self, unsaid: list[msg.Unsaid]) -> None:
        if unsaid and self.joined and not any(each.speaks for each in unsaid):
            scenario = scenario_of(self._environment)
            raise UsageError(f"the scenario {scenario} sends no messages: none of its tasks has called self.say")

    def _drain(self, patience_s: float) -> bool:
        """Wait until it is quiet, and return whether nothing that may still come is outstanding."""
        began = changed = time.monotonic()
        before: list[msg.DrainProgress] = []
        missing: Outstanding | None = None
        while time.monotonic() - began < patience_s + DRAIN_MAX_S:
            gevent.sleep(CHECK_S)
            progress = [pool.progress for pool in self._pools if pool.progress is not None]
            if progress != before or len(progress) < len(self._pools):
                before, changed, missing = progress, time.monotonic(), None
            quiet_s = time.monotonic() - changed
            if quiet_s > QUIET_S and missing is None:
                missing = self._outstanding()
            if missing is not None and (not missing.anything or (quiet_s > patience_s and not missing.may_come)):
                return True
        return False

    def _outstanding(self) -> Outstanding:
        for pool in self._pools:
            pool.histories = None
        self._pools.order(msg.Collect())
        answers = self._pools.answers(lambda pool: pool.histories, ANSWER_TIMEOUT_S)
        return outstanding(answers)

    def _facts(self, phase: msg.BeginPhase, drained: bool, master: msg.Used) -> PhaseFacts:
        return PhaseFacts(
            name=phase.name,
            start_ns=phase.start_ns,
            end_ns=self._end_ns,
            faults_ns=self._faults_ns,
            drained=drained,
            workers_lost=self._pools.lost,
            used=self._used(master),
            clocks=self._pools.host_clocks(),
            locust_stats_csv=stats_csv(self._environment),
            classes=self._classes,
            class_rates={name: rate * phase.rate_scale / self._rate_scale for name, rate in self._class_rates.items()},
            kinds=self._kinds,
            has_shape=self._environment.shape_class is not None,
        )

    def _used(self, master: msg.Used) -> msg.Used:
        parts = [(pool.rank, pool.unsaid.used) for pool in self._pools if pool.unsaid is not None]
        if not self._pools.have_master:
            return all_used(used for _rank, used in parts)
        if self._pools.lost:
            return msg.Used(cpu_s=None, rss_bytes=None)
        return all_used([*(numbered(used, rank + 1) for rank, used in parts), master])

    # --- seconds

    def _close_seconds(self, *, last: bool = False) -> None:
        """Report every second that all workers have reported; the last time, also seconds that only some reported."""
        while self._pools:
            newest = min(max(pool.ticks, default=-1) for pool in self._pools)
            if last:
                newest = max(max(pool.ticks, default=-1) for pool in self._pools)
            if newest < self._next_second or self._phase is None:
                return
            second, self._next_second = self._next_second, self._next_second + 1
            ticks = [pool.ticks.pop(second) for pool in self._pools if second in pool.ticks]
            if ticks:
                self._close_second(self._phase.name, second, ticks)

    def _close_second(self, phase: str, second: int, ticks: list[msg.AudienceSecond]) -> None:
        latencies = total(tick.latency for tick in ticks)
        add_row(self._environment.stats, "say->ack", total(tick.ack for tick in ticks).recorded_ms())
        add_row(self._environment.stats, "deliver", latencies.recorded_ms())
        # Without a master, this process is one of the workers', and counts there.
        master_cpu_ms = self._master.lap_ms() if self._pools.have_master else 0.0
        workers = len(self._pools) + self._pools.lost
        self.last_second = merge_second(phase, second, ticks, latencies, master_cpu_ms=master_cpu_ms, workers=workers)
        self._on_news(self.last_second)


# A shape finds its coordinator here, because Locust gives it only its runner.
COORDINATORS: WeakKeyDictionary[Environment, Coordinator] = WeakKeyDictionary()
