"""`chatbench costs`: measure the grid, fit unit costs, and validate them with the runs held out."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

import msgspec
import pandas as pd

from harness.core import settings as config
from harness.core.errors import Interrupted, ServiceFailed, UsageError
from harness.core.open_files import raise_open_file_limit
from harness.core.progress import CampaignProgress
from harness.core.registry import load_candidate
from harness.core.settings import RunSettings
from harness.core.signals import signals_interrupt
from harness.experiments.claims.durability import read_history
from harness.experiments.claims.study import resume as resume_claims
from harness.experiments.costs import shipped
from harness.experiments.costs.advice import Knowledge
from harness.experiments.costs.grid import FITTED, INSIDE, VALIDATING, CostsPlan, plan
from harness.experiments.costs.latency import fit_latency
from harness.experiments.costs.latency_validation import accuracies
from harness.experiments.costs.model import Model, fit
from harness.experiments.costs.observations import read_points
from harness.experiments.costs.validation import held_out, summed_up
from harness.experiments.plan_file import note, read_again
from harness.experiments.series import WarmBackends
from harness.experiments.turns import measure_turn, missing_turns
from harness.runs.record import new_folder
from harness.runs.warming import warm
from harness.services.backends import Backends

ASKED = "costs.json"
_HELD_OUT = "held-out"  # the folder of such runs in studies of 0.1.0, all of them between the fitted sizes


def begin(effort: CostsPlan, out: str) -> Path:
    """Make the folder of a new study; raises UsageError if the plan is not valid."""
    plan(effort, Path())
    folder = new_folder(config.make_out_dir(out), "costs")
    note(folder, ASKED, effort)
    return folder


def resume(folder: Path) -> CostsPlan:
    """The plan of the study in that folder; raises UsageError if `chatbench costs` did not make it."""
    return read_again(folder, ASKED, CostsPlan, "costs")


def steps(effort: CostsPlan, folder: Path) -> int:
    """The number of turns."""
    return len(plan(effort, folder))


def run_study(effort: CostsPlan, folder: Path, progress: CampaignProgress) -> None:
    """Measure the turns that are not complete yet. Raises ServiceFailed, UsageError or Interrupted."""
    planned = plan(effort, folder)
    turns = missing_turns(planned)
    logs = folder / "logs"
    logs.mkdir(exist_ok=True)
    raise_open_file_limit()
    go_on_with = f"chatbench costs --resume {folder}"
    with signals_interrupt(), WarmBackends([run.settings for turn in turns for run in turn], logs) as backends:
        warmer = _Warmer(backends, effort.jvm_warmup_s, folder, progress)
        try:
            for done, turn in enumerate(turns, start=len(planned) - len(turns)):
                warmer.warm(turn[0].settings)
                progress.run(done, turn[0].name)
                measure_turn(turn, effort.idle_s, backends, progress)
        except ServiceFailed as problem:
            raise ServiceFailed(f"{problem}; resume with: {go_on_with}") from problem
        except Interrupted:
            raise Interrupted(f"{folder}; resume with: {go_on_with}") from None


class _Warmer:
    """Warms Kafka's brokers once each time that new ones have started: cold ones take several times the CPU."""

    def __init__(self, backends: WarmBackends, max_s: float, folder: Path, progress: CampaignProgress) -> None:
        self._backends = backends
        self._max_s = max_s
        self._folder = folder
        self._progress = progress
        self._warm: Backends | None = None

    def warm(self, settings: RunSettings) -> None:
        """Warm the brokers of that run if they are new and it uses them, and note how."""
        architecture = load_candidate(settings.arch)
        running = self._backends.backends_for(settings)
        if not architecture.requires.kafka or running is self._warm or not self._max_s:
            return
        self._warm = running
        brokers = "the broker" if settings.brokers == 1 else f"the {settings.brokers} brokers"
        self._progress.aside("warming", f"{brokers}, until the compiler has little left to do", at_most_s=self._max_s)
        logs = self._folder / "logs"
        warming = warm(running, architecture, settings, logs, self._progress, max_s=self._max_s)
        file = self._folder / f"warming-{settings.brokers}-broker{'s'[: settings.brokers > 1]}.json"
        file.write_bytes(msgspec.json.format(msgspec.json.encode(warming)))


def fit_study(folder: Path) -> Model:
    """The model fitted to a study's runs. Raises UsageError if they are too few."""
    if not (folder / "runs" / FITTED).is_dir():
        raise UsageError(
            f"{folder} is not a folder that `chatbench costs` made; name one, or make one with: chatbench costs"
        )
    try:
        return fit(read_points([folder / "runs" / FITTED]))
    except ValueError as problem:
        raise UsageError(
            f"{folder} has too few runs to fit unit costs to ({problem}); make more with: chatbench costs"
        ) from problem


def fit_and_check(folder: Path) -> tuple[Model, pd.DataFrame]:
    """The model of a study, and its predictions for the runs that were made after the fit. Raises UsageError."""
    model = fit_study(folder)
    return model, held_out(model, read_validating(folder / "runs"))


def read_validating(runs: Path) -> pd.DataFrame:
    """The points of the runs that were made to validate predictions, with the column `range`. Raises UsageError."""
    ranges = {**dict(zip(VALIDATING, VALIDATING, strict=True)), _HELD_OUT: INSIDE}
    found = [read_points([runs / name]).assign(range=where) for name, where in ranges.items() if (runs / name).is_dir()]
    if not found:
        raise UsageError(f"{runs} has no runs to validate predictions with; make some with: chatbench costs")
    return pd.concat(found, ignore_index=True)


def read_knowledge(costs: Path | None = None, claims: Path | None = None) -> Knowledge:
    """The data behind advice: from folders of `chatbench costs` and `chatbench claims`, or what chatbench ships.

    Raises UsageError.
    """
    if costs is None:
        known = _shipped_knowledge()
        return known if claims is None else replace(known, replayable=read_readable(claims))
    readable = shipped.read_readable() if claims is None else read_readable(claims)
    return _knowledge(fit_study(costs), read_validating(costs / "runs"), readable)


@cache
def _shipped_knowledge() -> Knowledge:
    return _knowledge(fit(shipped.read_fitted()), shipped.read_held_out(), shipped.read_readable())


def _knowledge(model: Model, validating: pd.DataFrame, readable: dict[str, bool]) -> Knowledge:
    checked = summed_up(held_out(model, validating))
    try:
        latency = fit_latency(model.points, _machine_cores(model.points))
    except ValueError:  # too few runs with a latency, which is then not predicted
        return Knowledge(model, checked, readable)
    return Knowledge(model, checked, readable, latency, accuracies(latency, validating))


def _machine_cores(points: pd.DataFrame) -> int:
    """The cores of the machine that these runs were measured on; two where they do not say."""
    known = points["host_cores"].dropna()
    return int(known.median()) if len(known) else 2


def read_readable(claims: Path) -> dict[str, bool]:
    """Whether every acked message could be read after a restart, by architecture. Raises UsageError."""
    resume_claims(claims)  # raises UsageError if the folder is not a study of claims
    readable = read_history(claims)
    if not readable:
        raise UsageError(
            f"{claims} has not measured what can be read after a restart, which C7 and C8 test; "
            "name another folder, or make one with: chatbench claims --claim C7"
        )
    return {each.arch: each.readable == each.acked for each in readable}
