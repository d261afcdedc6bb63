"""Many runs, one after the other, on backends that stay warm. Runs that are already complete are skipped."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from harness.core import settings as config
from harness.core.errors import Interrupted, ServiceFailed, UsageError
from harness.core.open_files import raise_open_file_limit
from harness.core.options import parse_options
from harness.core.progress import CampaignProgress
from harness.core.registry import find_scenario, load_candidate
from harness.core.settings import RunSettings
from harness.core.signals import signals_interrupt, signals_wait
from harness.core.validation import validate
from harness.results.reading import read_run
from harness.runs.record import Record, record_folders
from harness.runs.run import Outcome, run_on
from harness.runs.setup import required
from harness.services.backends import Backends, all_requirements
from harness.services.external import all_external


@dataclass(frozen=True, slots=True)
class PlannedRun:
    name: str  # shown while it runs
    settings: RunSettings


def validated(planned: Sequence[PlannedRun]) -> list[PlannedRun]:
    """The same runs as a list; raises UsageError if the settings of one are not valid."""
    for each in planned:
        validate(each.settings, load_candidate(each.settings.arch))
    return list(planned)


def settings_for(common: RunSettings, arch: str) -> RunSettings:
    """The settings of a run of that architecture, without what only others use, such as brokers."""
    architecture = load_candidate(arch)
    uses_kafka = architecture.requires.kafka
    return msgspec.structs.replace(
        common,
        arch=arch,
        brokers=common.brokers if uses_kafka else 1,
        partitions=common.partitions if uses_kafka else None,
        kafka_bootstrap=common.kafka_bootstrap if uses_kafka else None,
        kafka_properties=common.kafka_properties if uses_kafka else None,
        nats_url=common.nats_url if architecture.requires.nats else None,
        redis_url=common.redis_url if architecture.requires.any_redis else None,
        arch_options=tuple(given for given in common.arch_options if given.partition("=")[0] in architecture.options),
    )


def check_arch_options(common: RunSettings, architectures: Sequence[str]) -> None:
    """Raise UsageError for an option that none of these architectures has."""
    known = {option for name in architectures for option in load_candidate(name).options}
    for given in parse_options("--arch-set", common.arch_options):
        if given not in known:
            raise UsageError(f"--arch-set: none of these architectures has an option {given!r}; leave it out")


class WarmBackends:
    """A context in which runs share backends as long as they need the same ones. Enter it within signals_interrupt."""

    def __init__(self, runs: Sequence[RunSettings], logs: Path) -> None:
        """`runs` are all runs to come, so that the backends started for the first are enough for the others."""
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
        """The running backends, or new ones if this run needs others."""
        brokers, proxied = _brokers(settings), config.needs_proxies(settings)
        if self._backends is not None and proxied == self._proxied and brokers in {None, self._brokers}:
            return self._backends
        self.stop()
        alike = [each for each in self._runs if config.needs_proxies(each) == proxied]
        if brokers is None:  # this run needs no brokers, so take the number of a later one
            brokers = next((number for each in alike if (number := _brokers(each)) is not None), 1)
        every = [required(each, load_candidate(each.arch)) for each in alike if _brokers(each) in {None, brokers}]
        requires = all_requirements(every)
        self._brokers, self._proxied = brokers, proxied
        self._backends = Backends(requires, brokers, self._logs, proxied=proxied, external=self._external)
        return self._backends

    def stop(self) -> None:
        """Stop the backends; the next run starts new ones."""
        if self._backends is not None:
            with signals_wait():
                self._backends.stop()
            self._backends = None


def _brokers(settings: RunSettings) -> int | None:
    """The number of brokers that a run needs, or None if it does not use Kafka."""
    return settings.brokers if required(settings, load_candidate(settings.arch)).kafka else None


def run_series(
    planned: Sequence[PlannedRun], folder: Path, progress: CampaignProgress, go_on_with: str
) -> list[Outcome]:
    """Run what is not complete yet, each into the folder `out` of its settings; returns the outcomes of these runs.

    Raises ServiceFailed, UsageError or Interrupted. The first and the last name `go_on_with`, the command that resumes.
    """
    to_run = not_complete(planned)
    logs = folder / "logs"
    logs.mkdir(exist_ok=True)
    raise_open_file_limit()
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
            raise ServiceFailed(f"{problem}; resume with: {go_on_with}") from problem
        except Interrupted:
            raise Interrupted(f"{folder}; resume with: {go_on_with}") from None
    return outcomes


def not_complete(planned: Sequence[PlannedRun]) -> list[PlannedRun]:
    """Those of the runs that are not complete in their folders."""
    complete = {out: _complete_in(Path(out)) for out in {each.settings.out for each in planned}}
    return [each for each in planned if _without_folder(each.settings) not in complete[each.settings.out]]


def _complete_in(folder: Path) -> list[RunSettings]:
    """The settings of the complete runs in that folder."""
    runs = [run for record in record_folders(folder) if (run := read_run(record)) is not None]
    return [_without_folder(manifest.settings) for summary, manifest in runs if summary.status == "complete"]


def _without_folder(settings: RunSettings) -> RunSettings:
    """The settings without their folder, because folders may be moved."""
    return msgspec.structs.replace(settings, out="")
