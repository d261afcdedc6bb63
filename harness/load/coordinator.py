"""The coordinator of all member pools of a test: it gives them orders and merges their answers into one result.

It runs in Locust's local runner, beside the only pool, or in Locust's master, above the workers' pools.
"""

from __future__ import annotations

import math
import os
import time
from collections import Counter
from collections.abc import Callable, Mapping
from importlib.metadata import version
from typing import Any, TypeVar, cast
from weakref import WeakKeyDictionary

import gevent
import msgspec
from locust.env import Environment
from locust.runners import STATE_MISSING, MasterRunner

from harness.core.errors import UsageError
from harness.core.gc_tuning import collect_seldom
from harness.core.registry import source_digests
from harness.ipc import messages as msg
from harness.ipc.class_plan import ClassPlan, MessageKind
from harness.load.classes import kinds_of, plan_classes
from harness.load.clock_sync import WorkerClocks
from harness.load.frame_budget import check_frames
from harness.load.locust_stats import add_row, clear_rows, stats_csv
from harness.load.merge import Outstanding, PhaseFacts, merge, merge_second, outstanding, total
from harness.load.mistakes import ScenarioMistake, mistake_text, scenario_of
from harness.load.process_usage import Usage, all_used, numbered
from harness.measure.clock_offset import HostClock

ANSWER_TIMEOUT_S = 30.0
PROBE_SLACK_S = 10.0
# The drain of a phase ends when nothing is outstanding and it has been quiet for a moment (a duplicate may follow), or
# when nothing has come for the phase's patience and nothing more can come, or after DRAIN_MAX_S if it never gets quiet.
QUIET_S = 0.25
DRAIN_MAX_S = 10.0  # beyond its patience
CHECK_S = 0.02
Answer = TypeVar("Answer", bound=msg.Struct)


class Worker:
    """One Locust process with a pool, as the coordinator sees it."""

    def __init__(self, identity: str, rank: int) -> None:
        self.identity = identity
        self.rank = rank
        self.assembled: msg.Assembled | None = None
        self.refused: str | None = None  # why no test can be made with it
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
    """Gives orders to the member pools of one Locust environment."""

    def __init__(
        self, environment: Environment, on_news: Callable[[msg.FromCoordinator | msg.MemberFailed], None]
    ) -> None:
        self._environment = environment
        self._runner = cast(Any, environment.runner)  # Locust does not type what a runner sends and receives
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
        self._class_rates: dict[str, float] = {}  # messages per second at their most active; empty: not known
        self._rate_scale = 1.0
        # Returns the load of the next test, for a shape whose tick Locust calls before the test has begun.
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
        """End the test; another may follow."""
        self._load = None

    # --- pools

    def assemble(self, load: msg.Load, urls: list[str], frames_per_s: float) -> None:
        """Make a pool in each connected Locust process. `frames_per_s` is what the gateways accept from one member.

        Raises TimeoutError, and UsageError for a process with another version or scenario, for a mistake in the
        scenario, and for a load that is too fast for these gateways.
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
            raise UsageError(mistake_text(problem, scenario_of(self._environment))) from problem
        self._workers = {identity: Worker(identity, rank) for rank, identity in enumerate(identities)}
        for worker in self._workers.values():
            order = msg.Assemble(
                load=load,
                classes=self._classes,
                kinds=self._kinds,
                urls=urls,
                worker=worker.rank,
                workers=len(identities),
                protocol=msg.protocol(),
            )
            self._send(worker, order)
        gevent.spawn(self._watch_workers, self._workers)
        sources = source_digests(self._environment.user_classes)
        for assembled in self._await(lambda worker: worker.assembled, ANSWER_TIMEOUT_S):
            _check_same(assembled, sources)
        self._compare_clocks()

    def _compare_clocks(self) -> None:
        """Measure how far the workers' clocks are ahead of this one, and tell each worker."""
        if not isinstance(self._runner, MasterRunner):
            return
        for identity, ahead_ns in self._clocks.compare(self._workers).items():
            if (worker := self._workers.get(identity)) is not None:
                self._send(worker, msg.FollowClock(ahead_ns=ahead_ns))

    def _identities(self) -> list[str]:
        if not isinstance(self._runner, MasterRunner):
            return ["local"]
        # Locust's dispatcher assigns users in this order too, so that the numbers of members have no gaps.
        return sorted(client.id for client in self._runner.clients.ready)

    def _send(self, worker: Worker, order: msg.ToMemberPool) -> None:
        self._runner.send_message(msg.ORDER, msgspec.msgpack.encode(order), client_id=worker.identity)

    def _order(self, order: msg.ToMemberPool) -> None:
        for worker in self._workers.values():
            self._send(worker, order)

    def _watch_workers(self, workers: dict[str, Worker]) -> None:
        """Drop workers that Locust's own heartbeat reports as gone, as long as their test runs."""
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
        """Return the answers of all workers that are still connected; raises TimeoutError, or UsageError if refused."""
        deadline = time.monotonic() + timeout_s
        while any(answer(worker) is None for worker in self._workers.values()):
            for worker in self._workers.values():
                if worker.refused is not None:
                    raise UsageError(worker.refused)
            if time.monotonic() > deadline:
                raise TimeoutError(f"a Locust worker did not answer within {timeout_s:g} s")
            gevent.sleep(CHECK_S)
        return [found for worker in self._workers.values() if (found := answer(worker)) is not None]

    def _hear(self, **event: Any) -> None:
        heard_ns = time.time_ns()
        carrier = event["msg"]
        worker = self._workers.get(carrier.node_id)
        if worker is not None:  # else the message is from an earlier test, or from a worker that was considered lost
            try:
                news = self._decode(carrier.data)
            except msgspec.DecodeError:
                worker.refused = msg.OTHER_PROTOCOL
                return
            if isinstance(news, msg.Time):
                self._clocks.hear(worker.identity, news, heard_ns)
            else:
                self._note(worker, news)

    def _note(self, worker: Worker, news: msg.FromMemberPool) -> None:
        match news:
            case msg.Assembled():
                worker.assembled = news
            case msg.Broken() if worker.assembled is None:
                worker.refused = news.problem
            case msg.Arrivals():
                self.joined += news.joined
                add_row(self._environment.stats, "connect", Counter(news.connect_ms))
                add_row(self._environment.stats, "join", Counter(news.join_ms))
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
        """Block until every member hears what it must; return None, or what is wrong.

        Raises TimeoutError, and UsageError if no member would say anything, or one more than the gateways accept.
        """
        self._learn_rates()
        for worker in self._workers.values():
            worker.probed = None
        self._order(order)
        answers = self._await(lambda worker: worker.probed, order.timeout_s + PROBE_SLACK_S)
        return next((answer.problem for answer in answers if answer.problem is not None), None)

    def _learn_rates(self) -> None:
        """Learn the sum of the members' rates, and the factor that makes it the run's rate.

        If a shape adds members later, so that not all have been spawned yet, the members' own rates are used unscaled.
        """
        assert self._load is not None
        for worker in self._workers.values():
            worker.rates = None
        self._order(msg.AskRates())
        answers = self._await(lambda worker: worker.rates, ANSWER_TIMEOUT_S)
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
        """Block until the phase has ended and its deliveries have drained, then return its result.

        Raises TimeoutError, and UsageError if no member has called `say`.
        """
        phase = self._phase
        assert phase is not None
        while time.time_ns() < self._end_ns:
            gevent.sleep(CHECK_S)  # end_now may move the end forward
        used = self._master.end()
        unsaid = self._await(lambda worker: worker.unsaid, ANSWER_TIMEOUT_S)
        if phase.name == "measure":  # members that are silent during the warm-up may speak later
            self._check_speaking(unsaid)
        drained = self._drain(phase.patience_s)
        self._order(msg.ClosePhase())
        reports = self._await(lambda worker: worker.report, ANSWER_TIMEOUT_S)
        self._close_seconds(last=True)
        self._phase = None
        self._compare_clocks()
        left = [worker.unsaid for worker in self._workers.values() if worker.unsaid is not None]
        result = merge(self._facts(phase, drained, used), reports, left)
        del reports
        for worker in self._workers.values():
            worker.begin_phase()
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
            progress = [worker.progress for worker in self._workers.values() if worker.progress is not None]
            if progress != before or len(progress) < len(self._workers):
                before, changed, missing = progress, time.monotonic(), None
            quiet_s = time.monotonic() - changed
            if quiet_s > QUIET_S and missing is None:
                missing = self._outstanding()
            if missing is not None and (not missing.anything or (quiet_s > patience_s and not missing.may_come)):
                return True
        return False

    def _outstanding(self) -> Outstanding:
        for worker in self._workers.values():
            worker.histories = None
        self._order(msg.Collect())
        answers = self._await(lambda worker: worker.histories, ANSWER_TIMEOUT_S)
        return outstanding(answers)

    def _facts(self, phase: msg.BeginPhase, drained: bool, master: msg.Used) -> PhaseFacts:
        return PhaseFacts(
            name=phase.name,
            start_ns=phase.start_ns,
            end_ns=self._end_ns,
            faults_ns=self._faults_ns,
            drained=drained,
            workers_lost=self._lost,
            used=self._used(master),
            clocks=self._host_clocks(),
            locust_stats_csv=stats_csv(self._environment),
            classes=self._classes,
            class_rates={name: rate * phase.rate_scale / self._rate_scale for name, rate in self._class_rates.items()},
            kinds=self._kinds,
            has_shape=self._environment.shape_class is not None,
        )

    def _used(self, master: msg.Used) -> msg.Used:
        parts = [(worker.rank, worker.unsaid.used) for worker in self._workers.values() if worker.unsaid is not None]
        if not isinstance(self._runner, MasterRunner):
            return all_used(used for _rank, used in parts)
        if self._lost:
            return msg.Used(cpu_s=None, rss_bytes=None)
        return all_used([*(numbered(used, rank + 1) for rank, used in parts), master])

    def _host_clocks(self) -> list[HostClock]:
        clocks = [self._clocks.host_clock(identity, worker.rank + 1) for identity, worker in self._workers.items()]
        return [each for each in clocks if each is not None]

    # --- seconds

    def _close_seconds(self, *, last: bool = False) -> None:
        """Report every second that all workers have reported; the last time, also seconds that only some reported."""
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
        latencies = total(tick.latency for tick in ticks)
        add_row(self._environment.stats, "say->ack", total(tick.ack for tick in ticks).recorded_ms())
        add_row(self._environment.stats, "deliver", latencies.recorded_ms())
        # Without a master, this process is one of the workers', and counts there.
        master_cpu_ms = self._master.lap_ms() if isinstance(self._runner, MasterRunner) else 0.0
        workers = len(self._workers) + self._lost
        self.last_second = merge_second(phase, second, ticks, latencies, master_cpu_ms=master_cpu_ms, workers=workers)
        self._on_news(self.last_second)


def _check_same(assembled: msg.Assembled, sources: Mapping[str, str]) -> None:
    """Compare a worker's chatbench and scenarios with ours: another host has its own copies. Raises UsageError."""
    if assembled.version != version("chatbench"):
        raise UsageError(
            f"a Locust worker has chatbench {assembled.version}, but this host has {version('chatbench')}; "
            "install the same version on both"
        )
    if assembled.protocol != msg.protocol():
        raise UsageError(msg.OTHER_PROTOCOL)
    for member, digest in sources.items():
        if assembled.sources.get(member) != digest:
            raise UsageError(
                f"a Locust worker has a different class {member}, or none; give it the same file of that scenario"
            )


# A shape finds its coordinator here, because Locust gives it only its runner.
COORDINATORS: WeakKeyDictionary[Environment, Coordinator] = WeakKeyDictionary()
