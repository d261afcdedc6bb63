"""`chatbench faults`: run every architecture under every fault, and compare its promises with what happened."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from architectures.interface import Candidate
from harness.core import settings as config
from harness.core.errors import Interrupted, ServiceFailed, UsageError
from harness.core.escapes import markdown_cell
from harness.core.faults import Fault, check_fault, parse_fault
from harness.core.open_files import raise_open_file_limit
from harness.core.progress import CampaignProgress
from harness.core.registry import find_scenario, load_candidate
from harness.core.settings import RunSettings
from harness.core.signals import signals_interrupt
from harness.core.validation import validate
from harness.experiments.series import WarmBackends
from harness.runs.promises import IN_USE, NORMAL, SURVIVES
from harness.runs.record import Record, new_folder
from harness.runs.run import run_on
from harness.runs.summary import Summary

FOUND = "faults.json"
FAULTS = (
    *("kill:gateway", "pause:gateway", "kill:broker", "pause:broker", "cut:gateway-broker"),
    *("restart:redis", "pause:redis", "cut:gateway-redis", "slow:members"),
    *("restart:nats", "pause:nats", "cut:gateway-nats"),
    *("reset:gateway-broker", "reset:gateway-redis", "reset:gateway-nats"),
)
# A killed process is noticed only after a timeout: a dead broker's partitions get new leaders after 9 s.
KILL_TAKES_LONGER = 2.0


class Cell(msgspec.Struct, frozen=True, kw_only=True):
    """One run of one architecture under one fault."""

    arch: str
    fault: str
    round: int = 1
    promised: bool  # whether its promises are to hold in spite of the fault
    held: bool | None  # None: not promised, or the run could not tell
    why: str | None  # why a promise was broken, or why the run could not tell
    lost_acked: int | None = None  # lost though acked, without those in lost_in_break
    lost_in_break: int | None = None
    lost_unacked: int | None = None
    refused: int | None = None  # messages answered with an error, or that no gateway accepted
    scheduled: int | None = None  # the messages due to be sent; None: an older record
    duplicated: int | None = None
    reordered: int | None = None
    away_max_ms: float | None = None
    first_delivery_ms: float | None = None
    normal_ms: float | None = None
    comparable: bool = True  # as in FaultSeen
    availability: float | None = None  # as in FaultSeen
    record: str | None = None


class Matrix(msgspec.Struct, frozen=True, kw_only=True):
    """The content of faults.json."""

    settings: RunSettings
    cells: list[Cell]


class PlannedCell(NamedTuple):
    round: int
    settings: RunSettings
    fault: Fault  # the one of the settings


def plan(
    common: RunSettings, architectures: tuple[str, ...], faults: tuple[str, ...], rounds: int = 1
) -> list[PlannedCell]:
    """One run for each possible cell and round; raises UsageError if there is none, or if one is not valid."""
    config.in_range("--rounds", rounds, 1, config.ROUNDS_MAX)
    cells = []
    for name in architectures:
        architecture = load_candidate(name)
        for spec in faults:
            settings = _settings(common, architecture, spec)
            fault = parse_fault(spec, settings.duration_s)
            if _applies(fault, settings, architecture):
                validate(settings, architecture)
                cells.append((settings, fault))
    if not cells:
        asked = f"{', '.join(faults)} with {', '.join(architectures)}"
        raise UsageError(f"there is nothing to break for {asked}; leave --fault or --arch out for all")
    # Runs that cut or reset connections need proxies between gateways and backends. They come last, on backends of
    # their own.
    planned = [
        PlannedCell(number, _seeded(settings, number), fault)
        for number in range(1, rounds + 1)
        for settings, fault in cells
    ]
    return sorted(planned, key=lambda each: each.fault.needs_proxy)


def _seeded(settings: RunSettings, number: int) -> RunSettings:
    """The settings with the seed of that round, which gives each round a different load."""
    return msgspec.structs.replace(settings, seed=settings.seed + number - 1)


def check_all_have_cells(cells: list[PlannedCell], architectures: tuple[str, ...], faults: tuple[str, ...]) -> None:
    """Raise UsageError if one of these names is in no cell."""
    for fault in faults:
        if fault not in {cell.settings.faults[0] for cell in cells}:
            raise UsageError(f"--fault {fault} breaks nothing that these architectures have; leave it out")
    for name in architectures:
        if name not in {cell.settings.arch for cell in cells}:
            raise UsageError(f"--arch {name} has nothing that these faults break; leave it out")


def _settings(common: RunSettings, architecture: type[Candidate], fault: str) -> RunSettings:
    longer = KILL_TAKES_LONGER if fault.startswith("kill:") else 1.0
    return msgspec.structs.replace(
        common,
        arch=architecture.name,
        faults=(fault,),
        duration_s=longer * common.duration_s,
        brokers=common.brokers if architecture.requires.kafka else 1,
        partitions=common.partitions if architecture.requires.kafka else None,
    )


def _applies(fault: Fault, settings: RunSettings, architecture: type[Candidate]) -> bool:
    try:
        check_fault(fault, architecture, settings.gateway_count(architecture), settings.brokers)
    except UsageError:
        return False
    return True


def run_matrix(cells: list[PlannedCell], common: RunSettings, progress: CampaignProgress) -> tuple[Matrix, Path]:
    """Run all cells; returns the matrix and its folder. A run that fails becomes a cell that says why."""
    scenario = find_scenario(common.scenario)
    folder = new_folder(config.make_out_dir(common.out), f"faults-{scenario.stem}")
    logs = folder / "logs"
    logs.mkdir()
    raise_open_file_limit()
    matrix = Matrix(settings=common, cells=[])
    with signals_interrupt(), WarmBackends([each.settings for each in cells], logs) as warm:
        try:
            for done, (number, settings, fault) in enumerate(cells):
                architecture = load_candidate(settings.arch)
                progress.run(done, f"{settings.arch}, {settings.faults[0]}")
                record = Record(folder, settings, scenario.stem, architecture)
                try:
                    outcome = run_on(warm.backends_for(settings), record, architecture, scenario, progress)
                except ServiceFailed as problem:
                    cell = _failed(fault, architecture, str(problem))
                    warm.stop()
                else:
                    cell = judge_cell(outcome.summary, fault, architecture, record.folder.name)
                matrix.cells.append(msgspec.structs.replace(cell, round=number))
                (folder / FOUND).write_bytes(msgspec.json.format(msgspec.json.encode(matrix)))
        except Interrupted:
            raise Interrupted(str(folder)) from None
    return matrix, folder


def _failed(fault: Fault, architecture: type[Candidate], why: str) -> Cell:
    promised = fault.kind in architecture.promises.survives
    return Cell(arch=architecture.name, fault=fault.kind, promised=promised, held=None, why=f"the run failed: {why}")


def judge_cell(summary: Summary, fault: Fault, architecture: type[Candidate], record: str) -> Cell:
    """The cell of one run: its promises, compared with what happened."""
    kind = fault.kind
    promised = kind in architecture.promises.survives
    held, why = None, None
    if not summary.faults:
        why = "not tested: the fault did not come"
    elif not summary.driver.valid:
        why = f"the driver was not valid: {summary.driver.why}"
    elif promised:
        survives, *expected = [each for each in summary.promises if each.promise in _judged_by(kind)]
        broken = [each.evidence for each in (survives, *expected) if each.held is False]
        held = False if broken else survives.held
        why = "; ".join(broken) or (None if held else survives.evidence)
    seen = summary.faults[0] if summary.faults else None
    lost_acked, in_break = summary.lost_acked or 0, summary.lost_in_break or 0
    return Cell(
        arch=architecture.name,
        fault=kind,
        promised=promised,
        held=held,
        why="; ".join([*([why] if why else []), *summary.ended]) or None,
        lost_acked=lost_acked - in_break,
        lost_in_break=in_break,
        lost_unacked=(summary.lost or 0) - lost_acked,
        refused=sum((summary.refused or {}).values()),
        scheduled=summary.use.scheduled,
        duplicated=summary.duplicated,
        reordered=summary.reordered,
        away_max_ms=summary.away_ms.max,
        first_delivery_ms=seen.first_delivery_ms if seen else None,
        normal_ms=seen.normal_ms if seen else None,
        comparable=seen.comparable if seen else True,
        availability=seen.availability if seen else None,
        record=record,
    )


def _judged_by(kind: str) -> list[str]:
    """The promises that decide a cell of this fault, as summary.json names them."""
    return [form.format(kind) for form in (SURVIVES, NORMAL, IN_USE)]


def of_round(cell: Cell, matrix: Matrix) -> str:
    """The round of the cell, if the matrix has several rounds."""
    return f" in round {cell.round}" if any(each.round > 1 for each in matrix.cells) else ""


def rows(matrix: Matrix) -> Iterator[tuple[str, ...]]:
    """The rows of the table, beginning with its head. Several rounds are shown as a range."""
    cells: dict[tuple[str, str], list[Cell]] = {}
    for cell in matrix.cells:
        cells.setdefault((cell.arch, cell.fault), []).append(cell)
    is_available = any(cell.availability is not None for cell in matrix.cells)  # older records do not have it
    yield (
        *("architecture", "fault", "promised", "verdict", *(["available"] if is_available else [])),
        *("lost though acked", "lost in a broken connection", "lost, never acked", "not taken", "twice"),
        *("out of order", "away at most", "heard again", "normal again"),
    )
    for (arch, fault), rounds in cells.items():
        yield (
            *(arch, fault, "yes" if rounds[0].promised else "no", _verdict(rounds)),
            *([_range(rounds, "availability", _available)] if is_available else []),
            *(_range(rounds, name, _counted(name)) for name in ("lost_acked", "lost_in_break", "lost_unacked")),
            _range(rounds, "refused", _not_taken),
            *(_range(rounds, name, _counted(name)) for name in ("duplicated", "reordered")),
            _range(rounds, "away_max_ms", _away, none_first=True),
            _range(rounds, "first_delivery_ms", lambda cell: _seconds(cell.first_delivery_ms)),
            _range(rounds, "normal_ms", _normal),
        )


def _range(cells: Sequence[Cell], by: str, text: Callable[[Cell], str], *, none_first: bool = False) -> str:
    """The range from the lowest to the highest value. A value that was not seen counts as the highest."""
    values = [(value is None, 0 if value is None else value, cell) for cell in cells for value in [getattr(cell, by)]]
    ordered = sorted(values, key=lambda each: (each[0] is not none_first, each[1]))
    least, most = text(ordered[0][2]), text(ordered[-1][2])
    return least if least == most else f"{least} to {most}"


def _verdict(rounds: Sequence[Cell]) -> str:
    verdicts = Counter(verdict_of(cell) for cell in rounds)
    if len(verdicts) == 1:
        return next(iter(verdicts))
    return ", ".join(f"{verdict} {count} of {len(rounds)}" for verdict, count in sorted(verdicts.items()))


def verdict_of(cell: Cell) -> str:
    match cell.held, cell.lost_acked:
        case True, _:
            return "held"
        case False, _:
            return "BROKEN"
        case None, None:
            return "failed"
        case _ if cell.promised:
            return "not told"
        case _:
            return "not promised"


def _counted(name: str) -> Callable[[Cell], str]:
    return lambda cell: _count(getattr(cell, name))


def _count(value: int | None) -> str:
    return "?" if value is None else f"{value:,}"


def _not_taken(cell: Cell) -> str:
    """The count with its share."""
    share = f" ({cell.refused / cell.scheduled:.1%})" if cell.refused and cell.scheduled else ""
    return f"{_count(cell.refused)}{share}"


def _available(cell: Cell) -> str:
    return "?" if cell.availability is None else f"{cell.availability:.1%}"


def _away(cell: Cell) -> str:
    return "-" if cell.away_max_ms is None else _seconds(cell.away_max_ms)


def _normal(cell: Cell) -> str:
    if cell.normal_ms is None and not cell.comparable:
        return "cannot tell"
    return "undisturbed" if cell.normal_ms == 0 else _seconds(cell.normal_ms)


def _seconds(ms: float | None) -> str:
    return "not seen" if ms is None else f"{ms / 1000:.1f} s"


def markdown(matrix: Matrix) -> str:
    head, *body = rows(matrix)
    lines = [head, tuple("---" for _ in head), *body]
    return "".join(f"| {' | '.join(map(markdown_cell, line))} |\n" for line in lines)
