"""The measurements of the experiments, as the rules that judge claims read them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from harness.analysis.contrasts import Contrast, Figures, contrasts, geometric_means
from harness.core.errors import UsageError
from harness.core.units import figure_text
from harness.experiments.claims.durability import Readable, read_history
from harness.measure.validity import too_late_to_compare
from harness.results.frames import METRICS, messages_behind, read_records, runs_of
from harness.runs.summary import Summary

P50, JOIN_P50, SPREAD_P50 = "latency_p50_ms", "join_p50_ms", "spread_p50_ms"
LATE_P50 = "driver_late_p50_ms"  # a column that only the claims have
CPU, KAFKA_CPU = "cpu_system_ms_per_s", "cores_kafka"  # at the load of the run, idle cost included
RECORDS, REQUESTS = "kafka_records_per_message", "kafka_produce_requests_per_message"
APPENDS = "kafka_appends_a_broker_max"
DISK, WASTED = "kafka_disk_bytes_per_message", "wasted_deliveries_per_message"
EXACT, CLOSE = 0.01, 0.10  # the allowed relative error of counts, and of shares


class InsufficientData(Exception):
    """A figure that a finding needs was not measured or is not valid. The text says which one."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """`runs` is Frames.runs with a column `experiment`; `readable` says what could be read after a restart."""

    runs: pd.DataFrame
    readable: Sequence[Readable]

    def of(self, experiment: str, arch: str | None = None, **columns: object) -> pd.DataFrame:
        """The complete runs of an experiment with this architecture (including its variant) and these values."""
        runs = self.runs[(self.runs["experiment"] == experiment) & (self.runs["status"] == "complete")]
        for column, value in ({} if arch is None else {"arch": arch}).items() | columns.items():
            runs = runs[runs[column] == value]
        if runs.empty:
            raise InsufficientData(f"{experiment} has no complete run of {arch or 'any architecture'}")
        return runs

    def count(self, experiments: Sequence[str]) -> int:
        """How many complete runs these experiments have."""
        return int((self.runs["experiment"].isin(experiments) & (self.runs["status"] == "complete")).sum())

    def each(self, experiment: str, column: str, arch: str | None = None, **columns: object) -> list[float]:
        """The figure of every run; raises InsufficientData if no run has it."""
        runs = self.of(experiment, arch, **columns)
        values = runs[column].dropna() if column in runs else pd.Series(dtype="float64")
        if values.empty:
            raise InsufficientData(f"{column} of {arch} in {experiment} was not measured, or its driver was not valid")
        return [float(value) for value in values]

    def total(self, experiment: str, column: str, arch: str | None = None, **columns: object) -> int:
        """The sum over the rounds."""
        return int(sum(self.each(experiment, column, arch, **columns)))

    def sent(self, experiment: str, arch: str | None = None, **columns: object) -> int:
        """How many messages the counts of these runs rest on."""
        return self.total(experiment, "sent", arch, **columns)

    def contrast(
        self, experiment: str, column: str, first: str, second: str, *, parts: float = 1.0, **columns: object
    ) -> Contrast:
        """A `parts`-th of `first` over `second`, by rounds; raises InsufficientData if fewer than two have both.

        Other architectures that were measured in these rounds lend their spread, as in harness.analysis.contrasts.
        """
        for name in (first, second):
            self._check_support(experiment, column, name, **columns)
        table = self._rounds(experiment, column, **columns)
        both = table.reindex(columns=[first, second]).dropna()
        if len(both) < 2:
            raise InsufficientData("no round has both" if both.empty else "one round gives no interval")
        complete = table.loc[both.index].dropna(axis="columns")
        others = [str(name) for name in complete if name not in both]
        values = complete[[first, second, *others]].to_numpy(dtype="float64", copy=True)
        values[:, 0] /= parts
        return contrasts(Figures(column, (first, second, *others), values))[0]

    def means(self, experiment: str, column: str, names: Sequence[str], **columns: object) -> list[float | None]:
        """The geometric mean of each architecture, which agrees with the contrasts; None where it was not measured.

        Those that were measured in most rounds share these; one that was measured in fewer has its own.
        """
        try:
            table = self._rounds(experiment, column, **columns)
        except InsufficientData:
            return [None] * len(names)
        rounds = table.reindex(columns=list(names)).notna().sum()
        together = [name for name in names if rounds[name] == rounds.max()]
        found: dict[str, float] = {}
        for group in (together, *([name] for name in names if rounds[name] < rounds.max())):
            values = table.reindex(columns=group).to_numpy(dtype="float64")
            found |= geometric_means(Figures(column, tuple(group), values))
        return [found.get(name) for name in names]

    def _rounds(self, experiment: str, column: str, **columns: object) -> pd.DataFrame:
        """A row for each round and a column for each architecture; not a number where nothing is above zero."""
        runs = self.of(experiment, None, **columns)
        if column not in runs:
            raise InsufficientData(f"{column} was not measured in {experiment}")
        table = runs.pivot_table(index="round", columns="arch", values=column, aggfunc="last")
        return table.where(table > 0)

    def _check_support(self, experiment: str, column: str, arch: str, **columns: object) -> None:
        """Raise InsufficientData if these runs lack the figure, or do not support that it is compared."""
        runs = self.of(experiment, arch, **columns)
        measured = runs[runs[column].notna()]
        if measured.empty:
            raise InsufficientData(f"{column} of {arch} in {experiment} was not measured, or its driver was not valid")
        if column == P50 and (why := _too_late(measured)) is not None:
            raise InsufficientData(f"with {arch} in {experiment}, {why}")
        for metric in METRICS:
            if (
                metric.column == column
                and (why := metric.why_not_shown(float(messages_behind(runs).sum()))) is not None
            ):
                raise InsufficientData(f"{column} of {arch} in {experiment} is {why}")


def _too_late(runs: pd.DataFrame) -> str | None:
    """Why the driver was too late in these runs for their median latency to be compared. None: it was not."""
    late_ms = runs[LATE_P50].median()
    return None if pd.isna(late_ms) else too_late_to_compare(50, float(late_ms), float(runs[P50].median()))


def known(figure: Callable[[], float]) -> float | None:
    """The figure of a bar; None if it was not measured."""
    try:
        return figure()
    except InsufficientData:
        return None


def near(value: float, expected: float, tolerance: float) -> bool:
    return abs(value - expected) <= tolerance * expected


def share_text(part: float) -> str:
    return f"{figure_text(100 * part)} %"


def read_evidence(folder: Path) -> Evidence:
    """The evidence in the folder of a study: `runs/<experiment>/` and history.json. Raises UsageError if empty."""
    parts = []
    for experiment in sorted(path for path in (folder / "runs").glob("*") if path.is_dir()):
        records = read_records([experiment])
        runs = runs_of(records).assign(experiment=experiment.name)
        runs[LATE_P50] = [_late_p50_ms(record.summary) for record in records]
        parts.append(runs.astype({LATE_P50: "float64"}))
    if not parts:
        raise UsageError(f"there are no runs of `chatbench claims` in {folder}; name a folder that it made")
    return Evidence(pd.concat(parts, ignore_index=True), read_history(folder))


def _late_p50_ms(summary: Summary) -> float | None:
    """How late the driver was in the median: a message may be sent late, or be read late by the audience."""
    known_ms = [each.p50 for each in (summary.send_lateness_ms, summary.loop_lag_ms) if each.p50 is not None]
    return max(known_ms, default=None)
