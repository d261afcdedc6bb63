"""One run, start to finish.

services and driver up -> members join -> probe -> warm-up -> measure -> drain -> everything down -> record
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn, TypeVar

import msgspec

from architectures.interface import Architecture
from harness import config
from harness.config import RunSettings
from harness.errors import ChatbenchError, Interrupted, ServiceFailed, UsageError
from harness.gateway.settings import GatewayStats
from harness.load import messages as msg
from harness.load.channel import Channel, ChannelClosed, spawn_peer
from harness.load.driver_settings import DriverSettings
from harness.measure import kafka_metrics, redis_metrics
from harness.measure.histogram import Latencies
from harness.measure.kafka_metrics import KafkaCounters
from harness.measure.redis_metrics import RedisCounters
from harness.measure.resources import Processes
from harness.record import Record
from harness.registry import find_scenario
from harness.report.progress import Progress
from harness.services.backends import Backends
from harness.services.stack import Stack
from harness.services.supervise import Child, reason_in
from harness.signals import signals_interrupt, signals_wait
from harness.summary import Measured, Summary

READY_TIMEOUT_S = 60.0
SPAWN_TIMEOUT_S = 120.0
PROBE_TIMEOUT_S = 30.0
PHASE_SLACK_S = 30.0  # beyond a phase's own end: late sends, the drain, the verdict
PARTIAL_RESULT_TIMEOUT_S = 6.0
Expected = TypeVar("Expected", bound=msg.Struct)

LEAD_NS = 100_000_000  # a phase begins this long after it is announced, when everybody has heard of it


@dataclass(frozen=True, slots=True)
class Outcome:
    summary: Summary
    folder: Path


def run_once(settings: RunSettings, architecture: type[Architecture], progress: Progress) -> Outcome:
    """Run and record, on backends of its own. Raises UsageError or ServiceFailed, or Interrupted by a signal.

    Whatever happens, the record is on disk and no process is left when this returns or raises.
    """
    config.validate(settings, architecture)
    scenario = find_scenario(settings.scenario)
    config.raise_open_file_limit()
    record = Record(config.make_out_dir(settings.out), settings, scenario.stem)
    backends = Backends(architecture.requires, settings.brokers, record.logs)
    with signals_interrupt():
        try:
            return run_on(backends, record, architecture, scenario, progress)
        finally:
            with signals_wait():
                backends.stop()


def run_on(
    backends: Backends,
    record: Record,
    architecture: type[Architecture],
    scenario: Path,
    progress: Progress,
) -> Outcome:
    """Run and record on backends that may be running already, and are left running. Call it in signals_interrupt."""
    run = Run(backends, record, architecture, scenario, progress)
    try:
        record.write_summary(run.summary("incomplete", "the run was killed before it could finish its record"))
        run.go()
    except UsageError as problem:
        if run.load_began:
            record.write_summary(run.summary("failed", str(problem)))
        else:
            shutil.rmtree(record.folder)  # nothing ran, so there is nothing to record
        raise
    except ChatbenchError as problem:
        record.write_summary(run.summary("failed", str(problem)))
        raise
    except Interrupted:
        with signals_wait():
            record.write_summary(run.summary("interrupted", "SIGINT or SIGTERM"))
        raise Interrupted(str(record.folder)) from None
    summary = run.summary("complete")
    record.write_summary(summary)
    return Outcome(summary, record.folder)


class Run:
    """The parts of a run in progress, and what is known of it so far."""

    def __init__(
        self,
        backends: Backends,
        record: Record,
        architecture: type[Architecture],
        scenario: Path,
        progress: Progress,
    ) -> None:
        self._settings = settings = record.settings
        self._architecture = architecture
        self._scenario = scenario
        self._record = record
        self._progress = progress
        self._topology = config.topology(settings, architecture)
        self._backends = backends
        self._stack = Stack(architecture, self._topology, backends, record.logs)
        self.load_began = False
        self._driver: Child | None = None
        self._driver_pids: list[int] = []
        self._channel: Channel[msg.FromDriver] | None = None
        self._rooms: int | None = None
        self._measured: Measured | None = None

    def go(self) -> None:
        """Everything up, the phases, everything down. Sets what summary() tells."""
        try:
            self._start()
            self._join()
            self.load_began = True
            if self._settings.warmup_s > 0:
                self._run_phase("warm-up", self._settings.warmup_s)
            self._measure()
        finally:
            with signals_wait():
                self._stop()

    def _start(self) -> None:
        self._progress.step("start", "driver and services")
        self._start_driver()
        self._backends.begin(self._show_download)
        ready = self._expect(msg.Ready, READY_TIMEOUT_S, "the driver's start")
        self._driver_pids, self._rooms = ready.pids, ready.rooms
        if self._rooms > self._settings.members:
            raise UsageError(
                f"the scenario makes {self._rooms} rooms of {self._settings.members} members; use more --members"
            )
        self._stack.start()

    def _show_download(self, done: int, total: int) -> None:
        detail = f"{done} of {total} jars of Kafka, once"
        if done == 0:
            self._progress.step("download", detail, total=total)
        self._progress.update(done, detail)

    def _start_driver(self) -> None:
        driver_settings = DriverSettings(
            scenario=str(self._scenario),
            members=self._settings.members,
            rooms=self._settings.rooms,
            rate_per_s=self._settings.rate_per_s,
            payload_bytes=self._settings.payload_bytes,
            seed=self._settings.seed,
            audience_log=str(self._record.logs / "audience.log"),
        )
        self._driver, self._channel = spawn_peer(
            "the driver",
            "harness.load.driver",
            self._record.logs / "driver.log",
            msg.FromDriver,
            stdin=msgspec.json.encode(driver_settings),
        )

    def _join(self) -> None:
        members = self._settings.members
        assert self._stack.fleet is not None
        self._progress.step("join", f"0 of {members} members", total=members)
        self._send(msg.Spawn(urls=self._stack.fleet.urls))
        while True:
            spawned = self._expect(msg.Spawned, SPAWN_TIMEOUT_S, "the members' joining")
            self._progress.update(spawned.joined, f"{spawned.joined} of {members} members")
            if spawned.problem is not None:
                raise ServiceFailed(
                    f"only {spawned.joined} of {members} members could join: {spawned.problem}; "
                    f"the gateways' logs are in {self._record.logs}"
                )
            if spawned.joined >= members:
                break
        self._progress.step("probe", "every member must hear every gateway")
        self._send(msg.Probe(fragments=not self._architecture.promises.everyone, timeout_s=PROBE_TIMEOUT_S))
        probed = self._expect(msg.Probed, PROBE_TIMEOUT_S + 10, "the probe")
        if probed.problem is not None:
            raise ServiceFailed(
                f"the architecture does not deliver: after {PROBE_TIMEOUT_S:g} s {probed.problem}; "
                f"the gateways' logs are in {self._record.logs}"
            )

    # --- phases

    def _measure(self) -> None:
        processes = Processes(
            {**self._stack.pids(), "locust": self._driver_pids[:1], "audience": self._driver_pids[1:]}
        )
        kafka_before, redis_before, gateways_before = self._read_kafka(), self._read_redis(), self._read_gateways()
        cpu: list[dict[str, float]] = []
        seconds: list[float] = []

        def sample_cpu() -> None:
            cpu.append(processes.cpu_s())
            seconds.append(time.monotonic())

        phase = self._run_phase("measure", self._settings.duration_s, at_start=sample_cpu, at_end=sample_cpu)
        rss_bytes = processes.rss_bytes()
        kafka_after, redis_after = self._read_kafka(), self._read_redis()
        self._measured = Measured(
            result=phase,
            duration_s=seconds[1] - seconds[0],
            cpu_s={name: used - cpu[0][name] for name, used in cpu[1].items()},
            rss_bytes=rss_bytes,
            kafka=None if kafka_before is None or kafka_after is None else kafka_after.since(kafka_before),
            redis=None if redis_before is None or redis_after is None else redis_after.since(redis_before),
            wasted=sum(g.wasted for g in self._read_gateways()) - sum(g.wasted for g in gateways_before),
        )
        self._write_details(phase)

    def _write_details(self, phase: msg.PhaseResult) -> None:
        self._record.write_text("locust_stats.csv", phase.locust_stats_csv)
        self._record.write_text("latency.hdr", phase.latency.decode())
        Latencies.decode(phase.latency).write_hgrm(self._record.folder / "latency.hgrm")

    def _run_phase(
        self,
        name: str,
        duration_s: float,
        at_start: Callable[[], None] = lambda: None,
        at_end: Callable[[], None] = lambda: None,
    ) -> msg.PhaseResult:
        """Let the members speak for that long, wait for what is in flight, and return what was counted."""
        start_ns = time.time_ns() + LEAD_NS
        end_ns = start_ns + round(duration_s * 1e9)
        self._progress.step(name, f"{duration_s:g} s", total=duration_s)
        self._send(msg.BeginPhase(name=name, start_ns=start_ns, end_ns=end_ns))
        time.sleep(max(0, start_ns - time.time_ns()) / 1e9)
        at_start()
        said = delivered = 0
        ended = False
        deadline = time.monotonic() + duration_s + PHASE_SLACK_S
        try:
            while time.monotonic() < deadline:
                news = self._receive(0.1)
                if not ended and time.time_ns() >= end_ns:
                    ended = True
                    at_end()
                match news:
                    case msg.Tick():
                        self._record.add_second(news)
                        said, delivered = said + news.said, delivered + news.delivered
                        p99 = "" if news.latency_p99_ms is None else f", p99 {news.latency_p99_ms:.1f} ms"
                        self._progress.update(news.second + 1, f"{said:,} said, {delivered:,} delivered{p99}")
                    case msg.PhaseResult():
                        return news
        except Interrupted:
            if name == "measure":
                with signals_wait():
                    self._keep_partial(duration_s - max(0, end_ns - time.time_ns()) / 1e9)
            raise
        raise ServiceFailed(f"the {name} did not end; the driver's logs are in {self._record.logs}")

    def _keep_partial(self, elapsed_s: float) -> None:
        """Ask for what was counted until the interruption."""
        self._send(msg.EndPhase())
        deadline = time.monotonic() + PARTIAL_RESULT_TIMEOUT_S
        while time.monotonic() < deadline:
            news = self._receive(0.1)
            if isinstance(news, msg.PhaseResult):
                self._measured = Measured(
                    news, elapsed_s, cpu_s={}, rss_bytes=None, kafka=None, redis=None, wasted=None
                )
                self._write_details(news)
                return

    def _read_kafka(self) -> KafkaCounters | None:
        if self._stack.kafka is None:
            return None
        return kafka_metrics.read_counters(self._stack.kafka.brokers, self._topology.run_id)

    def _read_redis(self) -> RedisCounters | None:
        return None if self._stack.redis is None else redis_metrics.read_counters(self._stack.redis.url)

    def _read_gateways(self) -> list[GatewayStats]:
        assert self._stack.fleet is not None
        return self._stack.fleet.stats()

    # --- the driver

    def _send(self, message: msg.ToDriver) -> None:
        assert self._channel is not None
        try:
            self._channel.send(message)
        except ChannelClosed:
            self._fail_for_driver()

    def _receive(self, timeout_s: float) -> msg.FromDriver | None:
        """The driver's next message, if one comes in time; raises if a process of the run has ended."""
        assert self._channel is not None
        try:
            news = self._channel.receive(timeout_s)
        except ChannelClosed:
            self._fail_for_driver()
        if isinstance(news, msg.Broken):
            raise UsageError(news.problem)
        if isinstance(news, msg.Failed):
            raise ServiceFailed(f"{news.problem}; its log is in {self._record.logs}")
        self._stack.check()
        return news

    def _expect(self, kind: type[Expected], timeout_s: float, what: str) -> Expected:
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            news = self._receive(0.1)
            if isinstance(news, kind):
                return news
        raise ServiceFailed(f"{what} took longer than {timeout_s:g} s; the logs are in {self._record.logs}")

    def _fail_for_driver(self) -> NoReturn:
        assert self._driver is not None
        audience_log = self._record.logs / "audience.log"
        raise ServiceFailed(
            f"the driver ended: {reason_in(self._driver.log)} (audience: {reason_in(audience_log)}); "
            f"its logs are in {self._record.logs}"
        )

    def _stop(self) -> None:
        if self._channel is not None:
            self._channel.close()  # the driver and its audience end when it closes
        if self._driver is not None:
            self._driver.stop(grace_s=3)
        self._stack.stop()

    # --- what is known

    def summary(self, status: str, why: str | None = None) -> Summary:
        summary = Summary(
            arch=self._settings.arch,
            scenario=self._scenario.stem,
            status=status,
            why=why,
            members=self._settings.members,
            rooms=self._rooms,
            gateways=self._topology.gateways,
        )
        return summary if self._measured is None else self._measured.add_to(summary, self._architecture.promises)
