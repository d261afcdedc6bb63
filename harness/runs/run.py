"""One run, start to finish.

services and driver up -> members join -> probe -> warm-up -> measure -> drain -> everything down -> record
"""

from __future__ import annotations

import contextlib
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from architectures.interface import Candidate, Requirements
from harness.core import settings as config
from harness.core.errors import DISK_ERRORS, ChatbenchError, Interrupted, ServiceFailed, UsageError, where
from harness.core.faults import needs_proxies
from harness.core.progress import Progress
from harness.core.registry import find_scenario
from harness.core.settings import RunSettings
from harness.core.signals import signals_interrupt, signals_wait
from harness.core.token import TOKEN_VARIABLE
from harness.gateway.settings import GatewayStats, Limits, limits_for
from harness.ipc import messages as msg
from harness.ipc.driver_settings import DriverSettings
from harness.load.driver_client import DriverProcess
from harness.measure.histogram import Latencies
from harness.measure.resources import CpuUsed
from harness.runs.fault_injector import Injector
from harness.runs.live_metrics import LiveMetrics, watched
from harness.runs.record import HISTOGRAMS, Record
from harness.runs.summary import SCHEMA, Measured, Summary
from harness.services.backends import NOBODYS, Backends
from harness.services.external import cluster_settings, external_services, resolve_brokers
from harness.services.kafka import metrics as kafka_metrics
from harness.services.kafka.metrics import KafkaCounters
from harness.services.lease import LentBackends, borrow
from harness.services.nats import metrics as nats_metrics
from harness.services.nats.metrics import NatsCounters
from harness.services.redis import metrics as redis_metrics
from harness.services.redis.metrics import RedisCounters
from harness.services.remote import RemoteStack, resolve_fleet
from harness.services.stack import Stack

READY_TIMEOUT_S = 60.0
WORKERS_TIMEOUT_S = 320.0  # more than the driver itself waits for them
SPAWN_TIMEOUT_S = 120.0
PROBE_TIMEOUT_S = 30.0
PHASE_SLACK_S = 30.0  # beyond a phase's own end and its patience: late sends, the drain, the verdict
FAULT_PATIENCE_S = 8.0  # what was under way when something broke may come after longer than usual, at the least
PARTIAL_RESULT_TIMEOUT_S = 6.0
SLOW_ONE_IN = 10  # members whom `slow:members` stops from reading
# A phase begins so long after it is announced, when everybody has heard of it and chosen the first moment to speak.
LEAD_NS = 100_000_000
LEAD_OF_MEMBER_NS = 50_000


@dataclass(frozen=True, slots=True)
class Outcome:
    summary: Summary
    folder: Path


def run_once(settings: RunSettings, architecture: type[Candidate], progress: Progress) -> Outcome:
    """Run and record, on backends of its own. Raises UsageError or ServiceFailed, or Interrupted by a signal.

    Whatever happens, the record is on disk and no process is left when this returns or raises.
    """
    config.validate(settings, architecture)
    scenario = find_scenario(settings.scenario)
    config.raise_open_file_limit()
    with signals_interrupt(), watched(settings.metrics) as watch:
        settings = resolve_fleet(resolve_brokers(settings))
        record = Record(config.make_out_dir(settings.out), settings, scenario.stem, architecture)
        backends = _backends(record, architecture)
        try:
            return run_on(backends, record, architecture, scenario, progress, watch=watch)
        finally:
            with signals_wait():
                backends.stop()


def _backends(record: Record, architecture: type[Candidate]) -> Backends | LentBackends:
    """Those of a `chatbench up` where it may lend them: what is to be broken must be the run's own."""
    settings = record.settings
    requires = required(settings, architecture)
    external = external_services(settings)
    if external == NOBODYS and not settings.faults and (requires.kafka or requires.any_redis or requires.nats):
        lent = borrow(requires, settings.brokers)
        if lent is not None:
            return lent
    proxied = needs_proxies(config.parse_faults(settings))
    return Backends(requires, settings.brokers, record.logs, proxied=proxied, external=external)


def required(settings: RunSettings, architecture: type[Candidate]) -> Requirements:
    """What a run needs to have around it: gateways that stand already have theirs."""
    return Requirements() if settings.gateways_at else architecture.requires


def stack_of(
    settings: RunSettings, architecture: type[Candidate], backends: Backends | LentBackends, logs: Path, limits: Limits
) -> Stack | RemoteStack:
    """What the load will meet: gateways that stand already, or gateways with these limits that start here."""
    topology = config.topology(settings, architecture, config.new_run_id())
    if settings.gateways_at:
        return RemoteStack(settings.gateways_at, topology)
    return Stack(architecture, topology, backends, logs, tick_s=settings.tick_s, limits=limits)


def run_on(
    backends: Backends | LentBackends,
    record: Record,
    architecture: type[Candidate],
    scenario: Path,
    progress: Progress,
    *,
    watch: LiveMetrics | None = None,
) -> Outcome:
    """Run and record on backends that may be running already, and are left running. Call it in signals_interrupt."""
    settings = record.settings
    limits = limits_for(settings.rate_per_s, settings.payload_bytes)
    stack = stack_of(settings, architecture, backends, record.logs, limits)
    if settings.kafka_bootstrap is not None:
        record.note_cluster(cluster_settings(external_services(settings)))
    run = Run(stack, record, architecture, progress, watch or LiveMetrics())

    def start_and_go() -> None:
        driver: DriverProcess | None = None
        try:
            lent = isinstance(backends, LentBackends)
            progress.step("start", "driver, on the services of `chatbench up`" if lent else "driver and services")
            given = DriverSettings(run=settings, scenario=str(scenario), logs=str(record.logs))
            driver = DriverProcess(given, stack.check, secrets=driver_secrets(settings))
            stack.begin(partial(show_first_use, progress))
            run.learn_rooms(await_driver(driver, settings, progress).rooms)
            fleet = stack.start()
            driver.send(msg.Spawn(urls=fleet.urls, frames_per_s=fleet.frames_per_s()))
            run.go(driver)
        finally:
            with signals_wait():
                if driver is not None:
                    driver.stop()
                stack.stop()
                run.left_behind = stack.forget()

    return recorded(run, record, start_and_go)


def await_driver(driver: DriverProcess, settings: RunSettings, progress: Progress) -> msg.Ready:
    """Until it, and all Locust workers that others start, are there."""
    if not settings.expect_workers:
        return driver.expect(msg.Ready, READY_TIMEOUT_S, "the driver's start")
    progress.step("workers", f"{settings.expect_workers} Locust workers may join at {settings.master_bind}")
    return driver.expect(msg.Ready, WORKERS_TIMEOUT_S, "the Locust workers' joining")


def show_first_use(progress: Progress, what: str, done: int, total: int) -> None:
    """What is done once, at the first run of all."""
    detail = f"{what}: {done} of {total}"
    if done == 0:
        progress.step("once", detail, total=total)
    progress.update(done, detail)


def driver_secrets(settings: RunSettings) -> list[str]:
    """Only gateways that stand already may ask for a token."""
    return [TOKEN_VARIABLE] if settings.gateways_at else []


def recorded(run: Run, record: Record, go: Callable[[], None]) -> Outcome:
    """Do `go`, and write down how it ended, whatever happens."""
    try:
        return _recorded(run, record, go)
    finally:
        record.close()


def _recorded(run: Run, record: Record, go: Callable[[], None]) -> Outcome:
    try:
        record.write_summary(run.summary("incomplete", "the run was killed before it could finish its record"))
        go()
    except UsageError as problem:
        if run.load_began:
            record.write_summary(run.summary("failed", str(problem)))
        else:
            shutil.rmtree(record.folder)  # nothing ran, so there is nothing to record
        raise
    except ChatbenchError as problem:
        record.write_summary(run.summary("failed", str(problem)))
        raise
    except OSError as problem:
        if problem.errno not in DISK_ERRORS:
            record.write_summary(run.summary("failed", where(problem)))
            raise
        why = f"the record cannot be written: {problem}"
        with contextlib.suppress(OSError):  # then it stays `incomplete`, which can be read as well
            record.write_summary(run.summary("failed", why))
        raise ServiceFailed(f"{why}; free some space, or use --out on another disk") from problem
    except Interrupted:
        with signals_wait():
            record.write_summary(run.summary("interrupted", "a signal asked it to end"))
        raise Interrupted(str(record.folder)) from None
    except Exception as problem:
        record.write_summary(run.summary("failed", where(problem)))
        raise
    summary = run.summary("complete")
    record.write_summary(summary)
    return Outcome(summary, record.folder)


class Run:
    """The load of a run in progress, on a stack that is there, and what is known of it so far."""

    def __init__(
        self,
        stack: Stack | RemoteStack,
        record: Record,
        architecture: type[Candidate],
        progress: Progress,
        watch: LiveMetrics,
    ) -> None:
        self._watch = watch
        watch.begin(record.settings.arch, record.scenario)
        self._stack = stack
        self._settings = record.settings
        self._architecture = architecture
        self._record = record
        self._progress = progress
        self._rooms: int | None = None
        self._measured: Measured | None = None
        self._injector: Injector | None = None
        self.load_began = False
        self.left_behind: str | None = None

    def learn_rooms(self, rooms: int) -> None:
        """Raises UsageError if there are more rooms than members."""
        self._rooms = rooms
        if rooms > self._settings.members:
            raise UsageError(
                f"the scenario makes {rooms} rooms of {self._settings.members} members; use more --members"
            )

    def go(self, driver: DriverProcess) -> None:
        """Members join, the phases, all of it with a driver that has been told to spawn. Sets what summary() tells."""
        self._driver = driver
        self._join()
        self._probe()
        self.load_began = True
        if self._settings.warmup_s > 0:
            self._run_phase("warm-up", self._settings.warmup_s)
        self._measure()

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

    def _measure(self) -> None:
        meter = self._stack.meter()
        kafka_before, redis_before, nats_before = self._read_kafka(), self._read_redis(), self._read_nats()
        gateways_before = self._read_gateways()
        cpu: list[CpuUsed] = []
        seconds: list[float] = []

        def sample_cpu() -> None:
            cpu.append(meter.cpu())
            seconds.append(time.monotonic())

        phase = self._run_phase("measure", self._settings.duration_s, at_start=sample_cpu, at_end=sample_cpu)
        rss_bytes = meter.rss_bytes() | (phase.used.rss_bytes or {})
        kafka_after, redis_after, nats_after = self._read_kafka(), self._read_redis(), self._read_nats()
        gateways_after = self._read_gateways()
        self._measured = Measured(
            result=phase,
            duration_s=seconds[1] - seconds[0],
            cpu_s=_used([each.by_component for each in cpu]),
            cpu_resolution_s=meter.resolution_s,
            driver_cpu_s=phase.used.cpu_s,
            rss_bytes=rss_bytes,
            kafka=None if kafka_before is None or kafka_after is None else kafka_after.since(kafka_before),
            redis=None if redis_before is None or redis_after is None else redis_after.since(redis_before),
            nats=None if nats_before is None or nats_after is None else nats_after.since(nats_before),
            gateways={
                process: stats.since(gateways_before[process]) if process in gateways_before else stats
                for process, stats in gateways_after.items()
            },
            gateway_cpu_s=_used([each.by_gateway for each in cpu]),
            gateways_gone=not gateways_before.keys() <= gateways_after.keys(),
            happened=[] if self._injector is None else self._injector.happened(),
            ended=[] if self._stack.fleet is None else self._stack.fleet.endings(),
        )
        self._watch.verdict(phase.verdict)
        self._write_details(phase)

    def _write_details(self, phase: msg.PhaseResult) -> None:
        self._record.write_text("locust_stats.csv", phase.locust_stats_csv)
        for name in HISTOGRAMS:
            measured = Latencies.unpack(getattr(phase, name))
            self._record.write_text(f"{name}.hdr", measured.encode().decode())
        Latencies.unpack(phase.latency).write_hgrm(self._record.folder / "latency.hgrm")

    def _run_phase(
        self,
        name: str,
        duration_s: float,
        at_start: Callable[[], None] = lambda: None,
        at_end: Callable[[], None] = lambda: None,
    ) -> msg.PhaseResult:
        """Let the members speak for that long, wait for what is in flight, and return what was counted."""
        start_ns = time.time_ns() + LEAD_NS + self._settings.members * LEAD_OF_MEMBER_NS
        end_ns = start_ns + round(duration_s * 1e9)
        until = f"{duration_s:g} s" if duration_s < config.DURATION_MAX_S else "until it is stopped"
        self._progress.step(name, until, total=duration_s)
        injector = self._arm_faults(start_ns) if name == "measure" else None
        patience_s = msg.PATIENCE_S
        if injector is not None:
            patience_s = max(FAULT_PATIENCE_S, *(fault.follows_s for fault in injector.faults))
        self._driver.send(msg.BeginPhase(name=name, start_ns=start_ns, end_ns=end_ns, patience_s=patience_s))
        time.sleep(max(0, start_ns - time.time_ns()) / 1e9)
        at_start()
        said = delivered = 0
        ended = False
        deadline = time.monotonic() + duration_s + patience_s + PHASE_SLACK_S
        try:
            while time.monotonic() < deadline:
                news = self._driver.receive(0.1 if injector is None else injector.work())
                if not ended and (time.time_ns() >= end_ns or isinstance(news, msg.Ending)):
                    ended = True
                    at_end()
                    if injector is not None:
                        injector.mend()
                match news:
                    case msg.Second():
                        self._record.add_second(news)
                        self._watch.second(news)
                        said, delivered = said + news.said, delivered + news.delivered
                        p99 = "" if news.latency_p99_ms is None else f", p99 {news.latency_p99_ms:.1f} ms"
                        self._progress.update(news.second + 1, f"{said:,} said, {delivered:,} delivered{p99}")
                    case msg.Ending() if name != "measure":
                        raise UsageError(f"the load was ended during the {name}, before anything was measured")
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
        assert isinstance(self._stack, Stack), "what stands elsewhere is not this run's to break: see config.py"
        self._injector = Injector(
            faults,
            self._stack,
            slow_down=lambda lasts_s: self._driver.send(msg.SlowDown(one_in=SLOW_ONE_IN, lasts_s=lasts_s)),
            began=lambda at_ns: self._driver.send(msg.FaultBegan(at_ns=at_ns)),
        )
        self._injector.arm(start_ns)
        return self._injector

    def _keep_partial(self, elapsed_s: float) -> None:
        """Ask for what was counted until the interruption."""
        self._driver.send(msg.EndPhase())
        deadline = time.monotonic() + PARTIAL_RESULT_TIMEOUT_S
        while time.monotonic() < deadline:
            news = self._driver.receive(0.1)
            if isinstance(news, msg.PhaseResult):
                self._measured = Measured(
                    news,
                    elapsed_s,
                    cpu_s={},
                    cpu_resolution_s={},
                    driver_cpu_s=None,
                    rss_bytes=None,
                    kafka=None,
                    redis=None,
                    nats=None,
                    gateways=None,
                    gateway_cpu_s={},
                )
                self._write_details(news)
                return

    def _read_kafka(self) -> KafkaCounters | None:
        """None without Kafka, or with a broker that was killed: its counters ended with it."""
        kafka = self._stack.kafka
        if kafka is None or self._was_killed("broker"):
            return None
        return kafka_metrics.read_counters(kafka.brokers, self._stack.topology.run_id)

    def _read_redis(self) -> RedisCounters | None:
        """As _read_kafka."""
        redis = self._stack.redis
        if redis is None or self._was_killed("redis"):
            return None
        return redis_metrics.read_counters(node.url for node in redis.nodes)

    def _read_nats(self) -> NatsCounters | None:
        """As _read_kafka."""
        nats = self._stack.nats
        return None if nats is None or self._was_killed("nats") else nats_metrics.read_counters(nats.monitor_port)

    def _was_killed(self, target: str) -> bool:
        happened = [] if self._injector is None else self._injector.happened()
        return any(each.fault.kind in {f"kill:{target}", f"restart:{target}"} for each in happened)

    def _read_gateways(self) -> dict[str, GatewayStats]:
        assert self._stack.fleet is not None
        return self._stack.fleet.stats()

    # --- what is known

    def summary(self, status: str, why: str | None = None) -> Summary:
        summary = Summary(
            schema=SCHEMA,
            arch=self._settings.arch,
            scenario=self._record.scenario,
            status=status,
            why=why,
            members=self._settings.members,
            rooms=self._rooms,
            gateways=self._stack.topology.gateways,
            services=self._whose_services(),
            left_behind=self.left_behind,
        )
        return summary if self._measured is None else self._measured.add_to(summary, self._architecture)

    def _whose_services(self) -> str:
        if isinstance(self._stack, RemoteStack):
            return self._stack.services
        if isinstance(self._stack.backends, LentBackends):
            return "chatbench up"
        backends = config.external_backends(self._settings, self._architecture)
        external = [backend.name for backend in backends if backend.given is not None]
        return f"external {' and '.join(external)}" if external else "own"


def _used(samples: list[dict[str, float]]) -> dict[str, float]:
    before, after = samples
    return {name: used - before[name] for name, used in after.items() if name in before}
