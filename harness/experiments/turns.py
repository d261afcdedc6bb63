"""Turns on backends that stay warm: an architecture starts once and is measured idle and at each of its rates."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from harness.core import settings as config
from harness.core.progress import Progress
from harness.core.registry import find_scenario, load_candidate
from harness.experiments.series import PlannedRun, WarmBackends, not_complete
from harness.runs.record import Record
from harness.runs.run import Outcome
from harness.runs.turn import Turn, run_turn

PlannedTurn = Sequence[PlannedRun]  # runs whose settings differ in the rate only


def missing_turns(turns: Iterable[PlannedTurn]) -> list[PlannedTurn]:
    """The turns of which a run is not complete in its folder yet; such a turn is measured whole."""
    every = list(turns)
    missing = not_complete([run for turn in every for run in turn])
    return [turn for turn in every if any(run in missing for run in turn)]


def measure_turn(turn: PlannedTurn, idle_s: float, backends: WarmBackends, progress: Progress) -> list[Outcome]:
    """Measure and record every run of the turn. Raises as run_once; call it in signals_interrupt()."""
    settings = turn[0].settings
    architecture = load_candidate(settings.arch)
    scenario = find_scenario(settings.scenario)
    running = backends.backends_for(settings)
    out = config.make_out_dir(settings.out)
    records = [Record(out, each.settings, scenario.stem, architecture) for each in turn]
    return run_turn(Turn(architecture, scenario, records, idle_s), running, progress)
