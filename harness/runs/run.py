"""One run, from its start to its record.

services and driver start -> members join -> probe -> warm-up -> measure -> drain -> everything stops -> record
"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from architectures.interface import Candidate
from harness.core import settings as config
from harness.core.errors import DISK_ERRORS, ChatbenchError, Interrupted, ServiceFailed, UsageError, where
from harness.core.open_files import raise_open_file_limit
from harness.core.progress import Progress
from harness.core.registry import find_scenario
from harness.core.settings import RunSettings
from harness.core.signals import signals_interrupt, signals_wait
from harness.core.validation import validate
from harness.gateway.settings import limits_for
from harness.ipc.driver_settings import DriverSettings
from harness.runs.live_metrics import LiveMetrics, watched
from harness.runs.measurement import Run
from harness.runs.record import Record
from harness.runs.setup import backends_of, driver_on, stack_of, traced_one_in
from harness.runs.summary import Summary
from harness.services.external import resolve_brokers
from harness.services.remote import resolve_fleet
from harness.services.run_stack import RunBackends


@dataclass(frozen=True, slots=True)
class Outcome:
    """A run that is complete, and the folder of its record."""

    summary: Summary
    folder: Path


def run_once(settings: RunSettings, architecture: type[Candidate], progress: Progress) -> Outcome:
    """Measure once and record it, on backends that start and stop with the run.

    Whatever happens, the record is on disk and no process is left when this returns or raises.

    Raises UsageError or ServiceFailed, or Interrupted on a signal.
    """
    validate(settings, architecture)
    scenario = find_scenario(settings.scenario)
    raise_open_file_limit()
    with signals_interrupt(), watched(settings.metrics) as watch:
        settings = resolve_fleet(resolve_brokers(settings))
        record = Record(config.make_out_dir(settings.out), settings, scenario.stem, architecture)
        backends = backends_of(settings, architecture, record.logs)
        try:
            return run_on(backends, record, architecture, scenario, progress, watch=watch)
        finally:
            with signals_wait():
                backends.stop()


def run_on(
    backends: RunBackends,
    record: Record,
    architecture: type[Candidate],
    scenario: Path,
    progress: Progress,
    *,
    watch: LiveMetrics | None = None,
) -> Outcome:
    """Measure once and record it, on backends that may be running already and are left running.

    Call it inside signals_interrupt(). Raises as run_once.
    """
    settings = record.settings
    limits = limits_for(settings.rate_per_s, settings.payload_bytes)
    trace_one_in = traced_one_in(settings.rate_per_s)
    stack = stack_of(settings, architecture, backends, record.logs, limits, trace_one_in=trace_one_in)
    if cluster := stack.external_settings():
        record.note_cluster(cluster)
    run = Run(stack, record, architecture, progress, watch or LiveMetrics())

    def start_and_go() -> None:
        given = DriverSettings(run=settings, scenario=str(scenario), logs=str(record.logs))
        with driver_on(stack, [run], given, progress) as driver:
            run.go(driver)

    return recorded(run, record, start_and_go)


def recorded(run: Run, record: Record, go: Callable[[], None]) -> Outcome:
    """Call `go` and write a summary that says how it ended, whatever happens. Raises what `go` raises."""
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
        with contextlib.suppress(OSError):  # the summary then stays `incomplete`, which is a readable record too
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
