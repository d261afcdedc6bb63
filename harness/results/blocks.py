"""What the blocks of a comparison say: the cost and the latency of each architecture, and a verdict on each pair."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from statistics import fmean, median
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.analysis.contrasts import Contrast, Figures, contrasts, geometric_means, mean_intervals
from harness.analysis.costs import Load, cost_of, shared_out
from harness.analysis.percentiles import contrasts_of_merged, why_not_shown
from harness.analysis.verdicts import Verdict, judge
from harness.measure.histogram import Latencies, LatencyMs
from harness.measure.validity import too_late_to_compare
from harness.results.deliveries import delivered_right
from harness.results.frames import SERVICES, WORKLOAD, RunRecord, messages_behind, runs_of
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
    """Return only the contrasts of the costs, by which a comparison stops."""
    return [contrast for blocks in _shapes(records) for figure in _costs(blocks) for contrast in figure.contrasts]


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
        runs = runs_of(records)
        self._runs = runs.assign(block=[_block_of(each) for each in records], messages=messages_behind(runs))
        self._records = {
            (_block_of(each), str(each.key["arch"]), float(each.key["rate_per_s"])): each for each in records
        }
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
        deliveries_per_s = self.matrix("deliveries_per_s", rate_per_s)
        cpu_ms_per_s = self.matrix("cpu_system_us_per_delivery", rate_per_s) * deliveries_per_s / 1_000
        return Load(cpu_ms_per_s - self._compiler("compiler_ms_per_s", rate_per_s), deliveries_per_s)

    def idle_cpu_ms_per_s(self) -> NDArray[np.float64]:
        """Return the CPU time while nobody writes, as `load` has it for a rate."""
        low = self.rates_per_s[0]
        return self.matrix("idle_cpu_ms_per_s", low) - self._compiler("idle_compiler_ms_per_s", low)

    def _compiler(self, column: str, rate_per_s: float) -> NDArray[np.float64]:
        """What a JVM's compiler used: it belongs to the broker's age and not to the architecture. 0 if not known."""
        return np.nan_to_num(self.matrix(column, rate_per_s))

    def cpu_by_component(self, rate_per_s: float) -> dict[str, dict[str, float]]:
        """Return the mean CPU time of each architecture's components as `load` has it, in ms per second."""
        here = self._runs[self._runs["rate_per_s"] == rate_per_s]
        found: dict[str, dict[str, float]] = {}
        for part in SERVICES:
            cpu_ms_per_s = here[f"cpu_{part}_us_per_delivery"] * here["deliveries_per_s"] / 1_000
            if part == COMPILES:
                cpu_ms_per_s -= here["compiler_ms_per_s"].astype("float64").fillna(0.0)
            for name, used in cpu_ms_per_s.groupby(here["arch"]).mean().dropna().items():
                found.setdefault(str(name), {})[part] = float(used)
        return found

    def idle_by_component(self, rate_per_s: float) -> dict[str, dict[str, float]]:
        """Return the mean CPU time of each architecture's components while nobody wrote, in ms per second."""
        found: dict[str, dict[str, list[float]]] = {}
        for (_block, name, rate), record in self._records.items():
            for part, used in (record.summary.idle_cpu_ms_per_s or {}).items():
                if rate == rate_per_s and part in SERVICES:
                    compiler = (record.summary.idle_compiler_ms_per_s or 0.0) if part == COMPILES else 0.0
                    found.setdefault(name, {}).setdefault(part, []).append(used - compiler)
        return {name: {part: fmean(parts[part]) for part in SERVICES if part in parts} for name, parts in found.items()}

    def messages(self, rate_per_s: float) -> int:
        """Return on how many messages of all blocks percentiles rest, for the architecture that has the fewest."""
        return int(np.nansum(self.matrix("messages", rate_per_s), axis=0).min())

    def histograms(self, rate_per_s: float, without: Collection[str]) -> dict[str, list[Latencies]]:
        """Return the delivery latencies by architecture and block, of the blocks in which every run is valid.

        Architectures in `without` are left out, so that the others can be compared.
        """
        every = {
            name: [self._histogram(block, name, rate_per_s) for block in self._names]
            for name in self.architectures
            if name not in without
        }
        valid = [place for place in range(len(self._names)) if all(of[place] is not None for of in every.values())]
        return {name: [each for place in valid if (each := of[place]) is not None] for name, of in every.items()}

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

    late_ms = middle(each.send_lateness_ms for each in runs)
    latency_ms = middle(each.latency_ms for each in runs)
    return None if late_ms is None or latency_ms is None else too_late_to_compare(percentile, late_ms, latency_ms)


def _block_of(record: RunRecord) -> str:
    return str(record.folder.parent)


def _costs(blocks: _Blocks) -> Iterator[Figure]:
    low, high = blocks.rates_per_s[0], blocks.rates_per_s[-1]
    slowness = blocks.matrix("slowness_ms", low)
    cost = cost_of(blocks.idle_cpu_ms_per_s(), blocks.load(low), blocks.load(high))
    of = partial(_figure, blocks.architectures, None if np.isnan(slowness).all() else slowness)
    fixed = of("fixed cost: CPU while nobody writes", "ms/s", cost.fixed_ms_per_s)
    yield replace(fixed, parts=_parts(fixed.values, blocks.idle_by_component(low)))
    marginal = of("marginal cost: CPU per delivery", "us", cost.marginal_us_per_delivery)
    less, more = blocks.cpu_by_component(low), blocks.cpu_by_component(high)
    added = {name: {part: used - less[name].get(part, 0.0) for part, used in more[name].items()} for name in more}
    yield replace(marginal, parts=_parts(marginal.values, added))


def _parts(values: dict[str, float], used: dict[str, dict[str, float]]) -> dict[str, dict[str, float]]:
    return {name: shared_out(value, used[name]) for name, value in values.items() if name in used}


def _figure(
    architectures: Sequence[str],
    slowness: NDArray[np.float64] | None,
    name: str,
    unit: str,
    values: NDArray[np.float64],
) -> Figure:
    figures = Figures(name, tuple(architectures), values, slowness)
    found = contrasts(figures)
    complete = int((~np.isnan(values).any(axis=1)).sum())
    why_not = None if complete else "not measured"
    return Figure(name, unit, geometric_means(figures), complete, found, why_not, intervals=mean_intervals(figures))


def _latencies(blocks: _Blocks) -> Iterator[Figure]:
    for rate_per_s in blocks.rates_per_s:
        messages = blocks.messages(rate_per_s)
        for percentile in (50.0, 99.0):
            left_out = blocks.not_comparable(rate_per_s, percentile)
            histograms = blocks.histograms(rate_per_s, left_out)
            number = min((len(of) for of in histograms.values()), default=0)
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
