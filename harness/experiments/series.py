"""Many runs one after the other, on backends that stay warm; what is complete already is not run again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from architectures.interface import Requirements
from harness.core import settings as config
from harness.core.errors import Interrupted, ServiceFailed
from harness.core.faults import needs_proxies
from harness.core.progress import CampaignProgress
from harness.core.registry import find_scenario, load_candidate
from harness.core.settings import RunSettings
from harness.core.signals import signals_interrupt, signals_wait
from harness.results.reading import read_run
from harness.runs.record import Record, record_folders
from harness.runs.run import Outcome, run_on
from harness.services.backends import Backends
from harness.services.external import all_external


@dataclass(frozen=True, slots=True)
class PlannedRun:
    name: str  # for people
    settings: RunSettings


def validated(planned: Sequence[PlannedRun]) -> list[PlannedRun]:
    """The same runs; raises UsageError if one of them cannot be."""
    for each in planned:
        config.validate(each.settings, load_candidate(each.settings.arch))
    return list(planned)


def in_turn(names: Sequence[str], turn: int) -> list[str]:
    """All of them, each turn somebody else first: a machine that gets slower must favour nobody."""
    first = turn % len(names)
    return [*names[first:], *names[:first]]


class WarmBackends:
    """A context in which runs share Kafka and Redis, as long as they need the same. Call it in signals_interrupt."""

    def __init__(self, runs: Sequence[RunSettings], logs: Path) -> None:
        """`runs`: all that will come, so that what the first one starts is enough for the others."""
        self._runs = runs
        self._logs = logs
        self._backends: Backends | None = None
        self._brokers = 0
        self._external = all_external(runs)
        self._proxied = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _problem: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self.stop()

    def backends_for(self, settings: RunSettings) -> Backends:
        """Those that are running, or others where this run needs others."""
        brokers, proxied = _brokers(settings), _is_proxied(settings)
        if self._backends is not None and proxied == self._proxied and brokers in {None, self._brokers}:
            return self._backends
        self.stop()
        alike = [each for each in self._runs if _is_proxied(each) == proxied]
        if brokers is None:  # any will do, so those that a later run needs
            brokers = next((number for each in alike if (number := _brokers(each)) is not None), 1)
        every = [load_candidate(each.arch).requires for each in alike if _brokers(each) in {None, brokers}]
        requires = Requirements(
            kafka=any(each.kafka for each in every),
            redis=any(each.redis for each in every),
            redis_cluster=any(each.redis_cluster for each in every),
            nats=any(each.nats for each in every),
        )
        self._brokers, self._proxied = brokers, proxied
        self._backends = Backends(requires, brokers, self._logs, proxied=proxied, external=self._external)
        return self._backends

    def stop(self) -> None:
        """The next run gets new ones."""
        if self._backends is not None:
            with signals_wait():
                self._backends.stop()
            self._backends = None


def _brokers(settings: RunSettings) -> int | None:
    """How many brokers a run needs; None if it is all the same to it."""
    return settings.brokers if load_candidate(settings.arch).requires.kafka else None


def _is_proxied(settings: RunSettings) -> bool:
    """Whether the way to its backends is to be cut."""
    return needs_proxies(config.parse_faults(settings))


def run_series(
    planned: Sequence[PlannedRun], folder: Path, progress: CampaignProgress, go_on_with: str
) -> list[Outcome]:
    """Run what is not complete yet, each in its settings' `out`; returns the outcomes of these.

    Raises ServiceFailed, UsageError or Interrupted; the first and the last tell the command to `go_on_with`.
    """
    complete = {out: _complete_in(Path(out)) for out in {each.settings.out for each in planned}}
    to_run = [each for each in planned if _wherever(each.settings) not in complete[each.settings.out]]
    logs = folder / "logs"
    logs.mkdir(exist_ok=True)
    config.raise_open_file_limit()
    outcomes = []
    with signals_interrupt(), WarmBackends([each.settings for each in to_run], logs) as warm:
        try:
            for done, each in enumerate(to_run, start=len(planned) - len(to_run)):
                progress.run(done, each.name)
                architecture = load_candidate(each.settings.arch)
                scenario = find_scenario(each.settings.scenario)
                record = Record(config.make_out_dir(each.settings.out), each.settings, scenario.stem, architecture)
                outcomes.append(run_on(warm.backends_for(each.settings), record, architecture, scenario, progress))
        except ServiceFailed as problem:
            raise ServiceFailed(f"{problem}; go on with: {go_on_with}") from problem
        except Interrupted:
            raise Interrupted(f"{folder}; go on with: {go_on_with}") from None
    return outcomes


def _complete_in(folder: Path) -> list[RunSettings]:
    """What was run there to its end."""
    runs = [run for record in record_folders(folder) if (run := read_run(record)) is not None]
    return [_wherever(manifest.settings) for summary, manifest in runs if summary.status == "complete"]


def _wherever(settings: RunSettings) -> RunSettings:
    """The same, whatever folder it is written to: people move folders."""
    return msgspec.structs.replace(settings, out="")
