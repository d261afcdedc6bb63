"""What the blocks of a comparison say: the cost and the latency of each architecture, and a verdict on each pair."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from statistics import fmean, median
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.analysis.contrasts import Contrast, Figures, contrasts, geometric_means, mean_intervals
from harness.analysis.costs import Load, cost_of, shared_out, why_left_out
from harness.analysis.percentiles import contrasts_of_merged, why_not_shown
from harness.analysis.verdicts import Verdict, judge
from harness.measure.histogram import Latencies, LatencyMs
from harness.measure.validity import too_late_to_compare
from harness.results.deliveries import delivered_right
from harness.results.frames import (
    SERVICES,
    WORKLOAD,
    RunRecord,
    compiler_ms_per_s,
    cpu_ms_per_s,
    messages_behind,
    runs_of,
)
from harness.results.reading import read_histogram
from harness.runs.summary import Summary

COMPILES = "kafka"  # the component whose JVMs have a compiler
SHAPE = tuple(column for column in WORKLOAD if column != "rate_per_s")


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure of every architecture, and the contrasts of all pairs."""

    name: str  # for people
    unit: str
    values: dict[str, float]  # by architecture; empty: not measured, or not supported
    blocks: int  # what it rests on
    contrasts: Sequence[Contrast]
    why_not: str | None = None  # why there are no values
    left_out: dict[str, str] = field(default_factory=dict)  # architectures without a value among others, and why
    intervals: dict[str, tuple[float, float]] = field(default_factory=dict)  # of the values, where they are known
    parts: dict[str, dict[str, float]] = field(default_factory=dict)  # what a cost is made up of, by component
    rate_per_s: float | None = None  # at which a latency was measured
    percentile: float | None = None  # of the latencies
    messages: int | None = None  # that a latency rests on, of the architecture with the fewest


@dataclass(frozen=True, slots=True)
class Compared:
    """All architectures under one load shape. The verdicts were judged together."""

    shape: dict[str, Any]  # the columns SHAPE
    architectures: Sequence[str]
    rates_per_s: Sequence[float]
    costs: Sequence[Figure]
    latencies: Sequence[Figure]
    verdicts: Sequence[Verdict]

    @property
    def decides(self) -> bool:
        """Whether costs were measured apart, in more than one block; runs of 0.1.0 did not."""
        return bool(self.verdicts) and any(figure.contrasts for figure in self.costs)


def compared(records: Sequence[RunRecord]) -> list[Compared]:
    """Compare the complete runs of each load shape in which at least two architectures delivered everything right.

    An architecture that lost, repeated or reordered anything under a load shape is compared with none there.
    Runs of a shape differ in their rate only; the rates are those that every architecture was run at.
    """
    return [_compared(blocks) for blocks in _shapes(records)]


def cost_contrasts(records: Sequence[RunRecord]) -> list[Contrast]:
    """Return only the contrasts of the costs, by which a comparison stops; none while one of the costs has none.

    At a single rate there is no marginal cost to wait for.
    """
    costs = [
        figure.contrasts
        for blocks in _shapes(records)
        for figure in list(_costs(blocks))[: 2 if len(blocks.rates_per_s) > 1 else 1]
    ]
    return [contrast for figure in costs for contrast in figure] if all(costs) else []


def _shapes(records: Sequence[RunRecord]) -> Iterator[_Blocks]:
    """The blocks of each load shape in which at least two architectures delivered all right, at a common rate."""
    shapes: dict[tuple[Any, ...], list[RunRecord]] = {}
    for each in records:
        if each.summary.status == "complete":
            shapes.setdefault(tuple(each.key[column] for column in SHAPE), []).append(each)
    for blocks in map(_Blocks, filter(None, map(delivered_right, shapes.values()))):
        if len(blocks.architectures) > 1 and blocks.rates_per_s:
            yield blocks


def _compared(blocks: _Blocks) -> Compared:
    costs, latencies = list(_costs(blocks)), list(_latencies(blocks))
    verdicts = judge([contrast for figure in (*costs, *latencies) for contrast in figure.contrasts])
    return Compared(blocks.shape, blocks.architectures, blocks.rates_per_s, costs, latencies, verdicts)


class _Blocks:
    """The runs, by block, architecture and rate. The runs of a block are in one folder."""

    def __init__(self, records: Sequence[RunRecord]) -> None:
        self.shape = {column: records[0].key[column] for column in SHAPE}
        # A block that was interrupted may have been run again: the last run at each place counts.
        self._records = {
            (_block_of(each), str(each.key["arch"]), float(each.key["rate_per_s"])): each for each in records
        }
        runs = runs_of(list(self._records.values()))
        self._runs = runs.assign(block=[block for block, *_ in self._records], messages=messages_behind(runs))
        by_architecture = self._runs.groupby("arch")["rate_per_s"].agg(set)
        self.architectures = sorted(by_architecture.index)
        self.rates_per_s = sorted(set.intersection(*by_architecture))
        self._names = list(dict.fromkeys(self._runs["block"]))
        self._read: dict[Path, Latencies | None] = {}

    def matrix(self, column: str, rate_per_s: float) -> NDArray[np.float64]:
        """Return a column of the frame `runs` with a row for each block and a column for each architecture."""
        here = self._runs[self._runs["rate_per_s"] == rate_per_s]
        table = here.pivot_table(index="block", columns="arch", values=column, aggfunc="first", dropna=False)
        found: NDArray[np.float64] = table.reindex(index=self._names, columns=self.architectures).to_numpy(float)
        return found

    def load(self, rate_per_s: float) -> Load:
        """Return the CPU time at that rate, without what a JVM's compiler used."""
        used = self.matrix("cpu_system_ms_per_s", rate_per_s) - self._compiler("compiler_ms_per_s", rate_per_s)
        return Load(used, self.matrix("deliveries_per_s", rate_per_s), self.matrix("slowness_ms", rate_per_s))

    def idle(self) -> Load:
        """Return the CPU time while nobody writes, as `load` has it for a rate."""
        low = self.rates_per_s[0]
        used = self.matrix("idle_cpu_ms_per_s", low) - self._compiler("idle_compiler_ms_per_s", low)
        return Load(used, np.zeros_like(used), self.matrix("idle_slowness_ms", low))

    def _compiler(self, column: str, rate_per_s: float) -> NDArray[np.float64]:
        """What a JVM's compiler used: it belongs to the broker's age and not to the architecture. 0 if not known."""
        return np.nan_to_num(self.matrix(column, rate_per_s))

    def cpu_by_component(self, rate_per_s: float) -> dict[str, dict[str, float]]:
        """Return the mean CPU time of each architecture's components as `load` has it, in ms per second."""
        return self._mean_by_component(rate_per_s, cpu_ms_per_s, compiler_ms_per_s)

    def idle_by_component(self, rate_per_s: float) -> dict[str, dict[str, float]]:
        """Return the mean CPU time of each architecture's components while nobody wrote, in ms per second."""
        return self._mean_by_component(
            rate_per_s, lambda run: run.idle_cpu_ms_per_s or {}, lambda run: run.idle_compiler_ms_per_s
        )

    def _mean_by_component(
        self,
        rate_per_s: float,
        used_by: Callable[[Summary], Mapping[str, float]],
        compiler_of: Callable[[Summary], float | None],
    ) -> dict[str, dict[str, float]]:
        found: dict[str, dict[str, list[float]]] = {}
        for (_block, name, rate), record in self._records.items():
            for part, used in used_by(record.summary).items() if rate == rate_per_s else ():
                compiler = (compiler_of(record.summary) or 0.0) if part == COMPILES else 0.0
                found.setdefault(name, {}).setdefault(part, []).append(used - compiler)
        return {name: {part: fmean(parts[part]) for part in SERVICES if part in parts} for name, parts in found.items()}

    def valid_blocks(self, rate_per_s: float, names: Collection[str]) -> list[str]:
        """Return the blocks in which the latencies of each of these architectures are valid at that rate."""
        return [
            block
            for block in self._names
            if all(self._histogram(block, name, rate_per_s) is not None for name in names)
        ]

    def messages(self, rate_per_s: float, names: Collection[str], blocks: Collection[str]) -> int:
        """Return on how many messages of these blocks percentiles rest, for the one of these that has the fewest."""
        here = self._runs[(self._runs["rate_per_s"] == rate_per_s) & self._runs["block"].isin(blocks)]
        counts = here.groupby("arch")["messages"].sum().reindex(list(names), fill_value=0.0)
        return int(counts.min()) if len(counts) else 0

    def histograms(self, rate_per_s: float, name: str, blocks: Collection[str]) -> list[Latencies]:
        """Return the delivery latencies of an architecture in each of these blocks, which must be valid."""
        return [each for block in blocks if (each := self._histogram(block, name, rate_per_s)) is not None]

    def not_comparable(self, rate_per_s: float, percentile: float) -> dict[str, str]:
        """Return the architectures whose latencies at that rate cannot be compared by this percentile, and why."""
        found: dict[str, str] = {}
        for name in self.architectures:
            records = [self._records.get((block, name, rate_per_s)) for block in self._names]
            valid = [each.summary for each in records if each is not None and each.summary.driver.valid is True]
            if len(valid) < len(records) / 2:
                found[name] = f"the driver was valid in {len(valid)} of {len(records)} blocks"
            elif (why := _too_late(valid, percentile)) is not None:
                found[name] = why
        return found

    def _histogram(self, block: str, name: str, rate_per_s: float) -> Latencies | None:
        record = self._records.get((block, name, rate_per_s))
        if record is None or record.summary.driver.valid is not True:
            return None
        if record.folder not in self._read:
            self._read[record.folder] = read_histogram(record.folder / "latency.hdr", lambda _file, _problem: None)
        return self._read[record.folder]


def _too_late(runs: Sequence[Summary], percentile: float) -> str | None:
    """Say why the driver was too late in the middle one of these runs of an architecture. None: it was not."""

    def middle(latencies: Iterable[LatencyMs]) -> float | None:
        known = [ms for each in latencies if (ms := getattr(each, f"p{percentile:g}")) is not None]
        return median(known) if known else None

    late_ms = [middle(each.send_lateness_ms for each in runs), middle(each.loop_lag_ms for each in runs)]
    known_ms = [ms for ms in late_ms if ms is not None]
    latency_ms = middle(each.latency_ms for each in runs)
    if latency_ms is None or not known_ms:
        return None
    # A message may be late because it was sent late, or because the audience was late to read it.
    return too_late_to_compare(percentile, max(known_ms), latency_ms)


def _block_of(record: RunRecord) -> str:
    return str(record.folder.parent)


def _costs(blocks: _Blocks) -> Iterator[Figure]:
    low, high = blocks.rates_per_s[0], blocks.rates_per_s[-1]
    cost = cost_of(blocks.idle(), blocks.load(low), blocks.load(high))
    of = partial(_cost_figure, blocks.architectures)
    fixed = of("fixed cost: CPU while nobody writes", "ms/s", cost.fixed_ms_per_s, cost.fixed_slowness)
    yield replace(fixed, parts=_parts(fixed.values, blocks.idle_by_component(low)))
    marginal = of("marginal cost: CPU per delivery", "us", cost.marginal_us_per_delivery, cost.marginal_slowness)
    less, more = blocks.cpu_by_component(low), blocks.cpu_by_component(high)
    # What was added by a component is known only where all components are known at both rates.
    alike = [name for name in more if more[name].keys() == less.get(name, {}).keys()]
    added = {name: {part: used - less[name][part] for part, used in more[name].items()} for name in alike}
    yield replace(marginal, parts=_parts(marginal.values, added))


def _parts(values: dict[str, float], used: dict[str, dict[str, float]]) -> dict[str, dict[str, float]]:
    return {name: shared_out(value, used[name]) for name, value in values.items() if name in used}


def _cost_figure(
    architectures: Sequence[str],
    name: str,
    unit: str,
    values: NDArray[np.float64],
    slowness: NDArray[np.float64],
) -> Figure:
    is_known = not np.isnan(slowness).all()
    if is_known:  # runs of which the speed of the machine is not known cannot be compared with those of which it is
        values = np.where(np.isnan(slowness), np.nan, values)
    left_out = {
        each: why for each, column in zip(architectures, values.T, strict=True) if (why := why_left_out(column))
    }
    places = [place for place, each in enumerate(architectures) if each not in left_out]
    kept = values[:, places]
    complete = int((~np.isnan(kept).any(axis=1)).sum()) if places else 0
    if not complete:
        return Figure(name, unit, {}, 0, [], _no_cost(left_out), left_out)
    names = tuple(architectures[place] for place in places)
    figures = Figures(name, names, kept, slowness[:, places] if is_known else None)
    return Figure(
        name,
        unit,
        geometric_means(figures),
        complete,
        contrasts(figures),
        left_out=left_out,
        intervals=mean_intervals(figures),
    )


def _no_cost(left_out: dict[str, str]) -> str:
    """Say why no architecture has that cost."""
    if not left_out:
        return "n/a: no block has it of every architecture"
    if len(set(left_out.values())) == 1:
        return next(iter(left_out.values()))
    return "n/a: " + "; ".join(f"{name}: {why}" for name, why in left_out.items())


def _latencies(blocks: _Blocks) -> Iterator[Figure]:
    for rate_per_s in blocks.rates_per_s:
        for percentile in (50.0, 99.0):
            left_out = blocks.not_comparable(rate_per_s, percentile)
            names = [each for each in blocks.architectures if each not in left_out]
            valid = blocks.valid_blocks(rate_per_s, names) if names else []
            number, messages = len(valid), blocks.messages(rate_per_s, names, valid)
            why_not = f"n/a: {_no_block(left_out)}" if number == 0 else why_not_shown(percentile, messages)
            figure = Figure(
                name=f"p{percentile:g} delivery latency at {rate_per_s:g} msg/s",
                unit="ms",
                values={},
                blocks=number,
                contrasts=[],
                why_not=why_not,
                left_out=left_out,
                rate_per_s=rate_per_s,
                percentile=percentile,
                messages=messages,
            )
            if why_not is not None:
                yield figure
                continue
            histograms = {each: blocks.histograms(rate_per_s, each, valid) for each in names}
            of = partial(_merged_percentile_ms, histograms, percentile)
            values = {each: of(each, range(number)) for each in histograms}
            found = contrasts_of_merged(figure.name, list(histograms), number, of)
            yield replace(figure, values=values, contrasts=found)


def _no_block(left_out: dict[str, str]) -> str:
    """Say why there is no block to compare: for the first architecture, if each of them is left out."""
    return next(iter(left_out.values()), "no block is valid")


def _merged_percentile_ms(
    histograms: dict[str, list[Latencies]], percentile: float, name: str, chosen: Sequence[int]
) -> float:
    merged = Latencies()
    for number in chosen:
        merged.add(histograms[name][number])
    found_ms = merged.percentile_ms(percentile)
    assert found_ms is not None, "a block in which nothing was delivered is not valid"
    return found_ms
