"""The load of one run: members join, warm-up and measurement follow, and counters are read around the latter."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec

from architectures.interface import Candidate
from harness.core import settings as config
from harness.core.errors import Interrupted, ServiceFailed, UsageError
from harness.core.progress import Progress
from harness.core.signals import signals_wait
from harness.ipc import messages as msg
from harness.ledger.passages import Passages
from harness.ledger.stages import ClockErrors, Stages, stages_of, typical_of_all_ms, ways_of
from harness.load.driver_client import DriverProcess
from harness.measure.cpu_series import CpuSeries
from harness.measure.histogram import Latencies
from harness.measure.machine_speed import slowness_ms
from harness.measure.resources import CpuUsed
from harness.measure.threads import busiest_groups
from harness.runs.fault_injector import Injector
from harness.runs.live_metrics import LiveMetrics
from harness.runs.measured import Measured
from harness.runs.messages_file import MESSAGES_FILE, messages_parquet
from harness.runs.record import HISTOGRAMS, Record
from harness.runs.stages_file import STAGES_FILE, stages_parquet
from harness.runs.summary import SCHEMA, Summary
from harness.services.backend import Counters
from harness.services.run_stack import RunStack, UsageMeter
from harness.services.speed_probe import SpeedProbe

SPAWN_TIMEOUT_S = 120.0
PROBE_TIMEOUT_S = 30.0
PHASE_SLACK_S = 30.0  # after a phase's end and its patience, for late sends, the drain and the verdict
FAULT_PATIENCE_S = 8.0  # at least so long is waited for deliveries that a fault may have delayed
PARTIAL_RESULT_TIMEOUT_S = 6.0
SLOW_ONE_IN = 10  # the share of members that `slow:members` stops from reading
LOOK_S = 0.1  # how long to wait for the driver's news before looking at the clock
# A phase begins so long after it is announced, so that every member knows of it and has scheduled its first message.
LEAD_NS = 100_000_000
LEAD_OF_MEMBER_NS = 50_000


@dataclass(frozen=True, slots=True)
class Conditions:
    """What was measured around a run, for comparisons. None: not measured."""

    idle_cpu_ms_per_s: dict[str, float] | None = None  # of each component, before anybody sent
    idle_compiler_ms_per_s: float | None = None  # of it, what the compiler of Kafka's JVMs used
    idle_slowness_ms: float | None = None  # of the machine meanwhile, as harness.measure.machine_speed has it


@dataclass(frozen=True, slots=True)
class Observed:
    """A phase that is not recorded: what it used, and how many messages were sent in it."""

    cpu: CpuUsed
    duration_s: float
    sent: int

    @property
    def cpu_ms_per_s(self) -> dict[str, float]:
        """CPU time of each component."""
        return {component: 1_000 * cpu_s / self.duration_s for component, cpu_s in self.cpu.by_component.items()}

    @property
    def compiler_ms_per_s(self) -> float | None:
        """CPU time of the compilers of all JVMs. None: there is none whose threads can be told apart."""
        jvms = self.cpu.jvms.values()
        return 1_000 * sum(used.compiler_s for used in jvms) / self.duration_s if jvms else None

    @property
    def slowness_ms(self) -> float | None:
        """How slow the machine was, as harness.measure.machine_speed has it. None: not measured."""
        return slowness_ms(self.cpu.speed_probe_s, self.duration_s)


class Run:
    """A run in progress on a stack that has been started, and what is known about it so far."""

    def __init__(
        self,
        stack: RunStack,
        record: Record,
        architecture: type[Candidate],
        progress: Progress,
        watch: LiveMetrics,
        *,
        speed: SpeedProbe | None = None,
    ) -> None:
        """`speed` tells how slow the machine is. None: nobody will compare this run."""
        self._watch = watch
        self._speed = speed
        watch.begin(record.settings.arch, record.scenario)
        self._stack = stack
        self._settings = record.settings
        self._architecture = architecture
        self._record = record
        self._progress = progress
        self._rooms: int | None = None
        self._measured: Measured | None = None
        self._injector: Injector | None = None
        self._start_ns = 0  # of the phase
        self.load_began = False
        self.load_ended = False  # by the scenario
        self.left_behind: str | None = None
        self.conditions = Conditions()

    def learn_rooms(self, rooms: int) -> None:
        """Take the number of rooms from the driver. Raises UsageError if there are more rooms than members."""
        self._rooms = rooms
        if rooms > self._settings.members:
            raise UsageError(
                f"the scenario makes {rooms} rooms of {self._settings.members} members; use more --members"
            )

    def go(self, driver: DriverProcess) -> None:
        """Take a driver that has been told to spawn through all phases. Afterwards summary() holds the results.

        Raises ServiceFailed or UsageError, or Interrupted on a signal.
        """
        self.join(driver)
        self.warm_up(driver)
        self.measure(driver)

    def join(self, driver: DriverProcess) -> None:
        """Wait until all members have joined and hear every gateway. Raises as `go`."""
        self._driver = driver
        self._join()
        self._probe()

    def warm_up(self, driver: DriverProcess, rate_scale: float = 1.0) -> None:
        """Let members send without counting, at so many times the driver's rate. Raises as `go`."""
        self._driver = driver
        self.load_began = True
        if self._settings.warmup_s > 0:
            meter = self._stack.meter()
            # Only the seconds of a warm-up are recorded. Other hosts are not asked for a sum that nobody needs.
            cpu = self._cpu_series(meter) if meter.is_local else CpuSeries(_nothing, each_second=False)
            self._run_phase("warm-up", self._settings.warmup_s, rate_scale, cpu)

    def observe_idle(self, driver: DriverProcess, duration_s: float) -> Observed:
        """Observe a phase in which nobody sends. Raises as `go`."""
        return self._observe(driver, "idle", duration_s, rate_scale=0.0)

    def observe_load(self, driver: DriverProcess, duration_s: float) -> Observed:
        """Observe a phase of the load, as in a warm-up. Raises as `go`."""
        return self._observe(driver, "warm-up", duration_s, rate_scale=1.0)

    def _observe(self, driver: DriverProcess, name: str, duration_s: float, rate_scale: float) -> Observed:
        self._driver = driver
        cpu = self._cpu_series(self._stack.meter())
        phase = self._run_phase(name, duration_s, rate_scale, cpu)
        return Observed(cpu.used, cpu.duration_s, phase.verdict.sent)

    def measure(self, driver: DriverProcess, rate_scale: float = 1.0) -> None:
        """Measure, at so many times the driver's rate. Raises as `go`."""
        self._driver = driver
        self.load_began = True
        self._measure(rate_scale)

    def _join(self) -> None:
        members = self._settings.members
        self._progress.step("join", f"0 of {members} members", total=members)
        while True:
            spawned = self._driver.expect(msg.Spawned, SPAWN_TIMEOUT_S, "the members' joining")
            self._watch.joined(spawned.joined)
            self._progress.update(spawned.joined, f"{spawned.joined} of {members} members")
            if spawned.problem is not None:
                raise ServiceFailed(
                    f"only {spawned.joined} of {members} members could join: {spawned.problem}; "
                    f"the gateways' logs are in {self._record.logs}"
                )
            if spawned.complete:
                return

    def _probe(self) -> None:
        self._progress.step("probe", "every member must hear every gateway")
        self._driver.send(msg.Probe(fragments=not self._architecture.promises.everyone, timeout_s=PROBE_TIMEOUT_S))
        probed = self._driver.expect(msg.Probed, PROBE_TIMEOUT_S + 15, "the probe")
        if probed.problem is not None:
            raise ServiceFailed(
                f"the architecture does not deliver: after {PROBE_TIMEOUT_S:g} s {probed.problem}; "
                f"the gateways' logs are in {self._record.logs}"
            )

    # --- phases

    def _measure(self, rate_scale: float) -> None:
        meter = self._stack.meter()
        counters_before, gateways_before = self._read_counters(), self._stack.gateways.stats()
        self._stack.gateways.passages()  # those of the warm-up
        cpu, threads_before = self._cpu_series(meter), meter.threads()
        phase = self._run_phase("measure", self._settings.duration_s, rate_scale, cpu)
        threads = busiest_groups(threads_before, meter.threads())
        rss_bytes = meter.rss_bytes() | (phase.used.rss_bytes or {})
        counters_after, gateways_after = self._read_counters(), self._stack.gateways.stats()
        passages = self._stack.gateways.passages() or []
        self._measured = Measured(
            result=phase,
            start_ns=self._start_ns,
            duration_s=cpu.duration_s,
            cpu=cpu.used,
            cpu_resolution_s=meter.resolution_s,
            driver_cpu_s=phase.used.cpu_s,
            rss_bytes=rss_bytes,
            threads=threads,
            counters={name: after.since(counters_before[name]) for name, after in counters_after.items()},
            gateways={
                process: stats.since(gateways_before[process]) if process in gateways_before else stats
                for process, stats in gateways_after.items()
            },
            gateways_gone=not gateways_before.keys() <= gateways_after.keys(),
            stages=self._stages(phase, passages),
            happened=[] if self._injector is None else self._injector.happened(),
            ended=self._stack.gateways.endings(),
        )
        self._watch.verdict(phase.verdict)
        self._write_details(phase)

    def _stages(self, phase: msg.PhaseResult, told: Sequence[Passages]) -> Stages | None:
        """The stages of the messages that the gateways have traced; each message is written to the record."""
        if phase.messages is None or not any(each.passages for each in told):
            return None
        workers_ns = [round(each.bound_ms * 1e6) for each in phase.clocks]
        errors = ClockErrors.of(workers_ns, [each.bound_ns for each in told])
        found = ways_of(phase.messages, self._start_ns, [each.passages for each in told], errors)
        self._record.write_bytes(STAGES_FILE, stages_parquet(found))
        # The gateways trace a share of all messages, and a long run keeps a share of its messages.
        one_in = max(each.one_in for each in told) * phase.messages.one_in
        stages = stages_of(found, sum(each.forgotten for each in told), one_in, errors)
        all_ms = typical_of_all_ms(phase.messages)
        return None if stages is None else msgspec.structs.replace(stages, typical_of_all_ms=all_ms)

    def _write_details(self, phase: msg.PhaseResult) -> None:
        self._record.write_text("locust_stats.csv", phase.locust_stats_csv)
        for name in HISTOGRAMS:
            measured = Latencies.unpack(getattr(phase, name))
            self._record.write_text(f"{name}.hdr", measured.encode().decode())
        Latencies.unpack(phase.latency).write_hgrm(self._record.folder / "latency.hgrm")
        if phase.messages is not None:
            self._record.write_bytes(MESSAGES_FILE, messages_parquet(phase.messages, phase.kinds))

    def _run_phase(self, name: str, duration_s: float, rate_scale: float, cpu: CpuSeries) -> msg.PhaseResult:
        """Let the members send for that long, wait for messages in flight, and return what was counted."""
        start_ns = time.time_ns() + LEAD_NS + self._settings.members * LEAD_OF_MEMBER_NS
        start_ns -= start_ns % 1_000  # the record has whole microseconds
        end_ns = start_ns + round(duration_s * 1e9)
        self._start_ns = start_ns
        until = f"{duration_s:g} s" if duration_s < config.DURATION_MAX_S else "until it is stopped"
        self._progress.step(name, until, total=duration_s)
        injector = self._arm_faults(start_ns) if name == "measure" else None
        patience_s = msg.PATIENCE_S
        if injector is not None:
            patience_s = max(FAULT_PATIENCE_S, *(fault.follows_s for fault in injector.faults))
        times = {"start_ns": start_ns, "end_ns": end_ns}
        self._driver.send(msg.BeginPhase(name=name, **times, patience_s=patience_s, rate_scale=rate_scale))
        time.sleep(max(0, start_ns - time.time_ns()) / 1e9)
        cpu.begin(start_ns)
        said = delivered = 0
        ended = False
        deadline = time.monotonic() + duration_s + patience_s + PHASE_SLACK_S
        try:
            while time.monotonic() < deadline:
                wait_s = LOOK_S if injector is None else injector.work()
                news = self._driver.receive(min(wait_s, cpu.due_in_s(time.time_ns())))
                self.load_ended |= isinstance(news, msg.Ending)
                cpu.tick(time.time_ns())
                if not ended and (time.time_ns() >= end_ns or isinstance(news, msg.Ending)):
                    ended = True
                    cpu.end()
                    if injector is not None:
                        injector.mend()
                match news:
                    case msg.Second() if rate_scale > 0:
                        self._record.add_second(news, cpu.of_second(news.second))
                        self._watch.second(news)
                        said, delivered = said + news.said, delivered + news.delivered
                        p99 = "" if news.latency_p99_ms is None else f", p99 {news.latency_p99_ms:.1f} ms"
                        self._progress.update(news.second + 1, f"{said:,} said, {delivered:,} delivered{p99}")
                    case msg.Ending() if name != "measure":
                        raise UsageError(
                            f"the load was ended during the {name}, before anything was measured; use a lower --rate, "
                            "or change with --set when the scenario ends it"
                        )
                    case msg.PhaseResult():
                        return news
        except Interrupted:
            if name == "measure":
                with signals_wait():
                    self._keep_partial(duration_s - max(0, end_ns - time.time_ns()) / 1e9)
            raise
        raise ServiceFailed(
            f"the {name} did not end: what was said is still not delivered, or not judged; use a lower --rate, "
            f"or see the logs in {self._record.logs}"
        )

    def _arm_faults(self, start_ns: int) -> Injector | None:
        faults = config.parse_faults(self._settings)
        if not faults:
            return None
        self._injector = Injector(
            faults,
            self._stack,
            slow_down=lambda lasts_s: self._driver.send(msg.SlowDown(one_in=SLOW_ONE_IN, lasts_s=lasts_s)),
            began=lambda at_ns: self._driver.send(msg.FaultBegan(at_ns=at_ns)),
        )
        self._injector.arm(start_ns)
        return self._injector

    def _keep_partial(self, elapsed_s: float) -> None:
        """Ask for the figures up to the interruption, and keep them if they come in time."""
        self._driver.send(msg.EndPhase())
        deadline = time.monotonic() + PARTIAL_RESULT_TIMEOUT_S
        while time.monotonic() < deadline:
            news = self._driver.receive(0.1)
            if isinstance(news, msg.PhaseResult):
                self._measured = Measured(
                    news,
                    self._start_ns,
                    elapsed_s,
                    cpu=CpuUsed({}, {}, {}),
                    cpu_resolution_s={},
                    driver_cpu_s=None,
                    rss_bytes=None,
                    counters={},
                    gateways=None,
                )
                self._write_details(news)
                return

    def _read_counters(self) -> Mapping[str, Counters]:
        """What the backends have counted so far, but for those that a fault has killed."""
        return self._stack.counters(set() if self._injector is None else self._injector.killed())

    def _cpu_series(self, meter: UsageMeter) -> CpuSeries:
        def read() -> CpuUsed:
            used = meter.cpu()
            return used if self._speed is None else used._replace(speed_probe_s=self._speed.cpu_s())

        return CpuSeries(read, each_second=meter.is_local)

    # --- what is known

    def summary(self, status: str, why: str | None = None) -> Summary:
        """The summary by what is known now; figures that were not measured are None."""
        summary = Summary(
            schema=SCHEMA,
            arch=self._settings.arch,
            scenario=self._record.scenario,
            status=status,
            why=why,
            members=self._settings.members,
            rooms=self._rooms,
            gateways=self._stack.topology.gateways,
            services=self._stack.whose,
            left_behind=self.left_behind,
            idle_cpu_ms_per_s=self.conditions.idle_cpu_ms_per_s,
            idle_compiler_ms_per_s=self.conditions.idle_compiler_ms_per_s,
            idle_slowness_ms=self.conditions.idle_slowness_ms,
        )
        return summary if self._measured is None else self._measured.add_to(summary, self._architecture)


def _nothing() -> CpuUsed:
    return CpuUsed({}, {}, {})
