"""The measurements of the experiments, as the rules that judge claims read them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from harness.analysis.ratio import Ratio, ratio_of
from harness.core.errors import UsageError
from harness.experiments.claims.durability import Readable, read_history
from harness.results.frames import read_records, runs_of


class InsufficientData(Exception):
    """A figure that a verdict needs was not measured or is not valid. The text says which one."""


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
            raise InsufficientData(f"no complete run of {arch or 'any architecture'} in {experiment}")
        return runs

    def count(self, experiments: Sequence[str]) -> int:
        """How many complete runs these experiments have."""
        return int((self.runs["experiment"].isin(experiments) & (self.runs["status"] == "complete")).sum())

    def found(self, experiment: str, column: str, arch: str | None = None, **columns: object) -> float | None:
        """The mean of the rounds, or None if no round measured it."""
        values = self.of(experiment, arch, **columns)[column].dropna()
        return None if values.empty else float(values.mean())

    def mean(self, experiment: str, column: str, arch: str | None = None, **columns: object) -> float:
        """The mean of the rounds; raises InsufficientData if no round measured it."""
        value = self.found(experiment, column, arch, **columns)
        if value is None:
            raise InsufficientData(f"{column} of {arch} in {experiment} was not measured, or its driver was not valid")
        return value

    def total(self, experiment: str, column: str, arch: str | None = None, **columns: object) -> int:
        """The sum over the rounds."""
        return int(self.of(experiment, arch, **columns)[column].sum())

    def ratio(self, experiment: str, column: str, arch: str, over: str, **columns: object) -> Ratio:
        """The ratio of two architectures, round by round; raises InsufficientData if no round has both."""
        by_round = [self.of(experiment, name, **columns).set_index("round")[column] for name in (arch, over)]
        both = pd.concat(by_round, axis=1, keys=["arch", "over"]).dropna()
        ratio = ratio_of(both["arch"].tolist(), both["over"].tolist())
        if ratio is None:
            raise InsufficientData(f"{column} of {arch} and {over} in {experiment} was not measured in the same round")
        return ratio


def read_evidence(folder: Path) -> Evidence:
    """The evidence in the folder of a study: `runs/<experiment>/` and history.json. Raises UsageError if empty."""
    parts = []
    for experiment in sorted(path for path in (folder / "runs").glob("*") if path.is_dir()):
        parts.append(runs_of(read_records([experiment])).assign(experiment=experiment.name))
    if not parts:
        raise UsageError(f"there are no runs of `chatbench claims` in {folder}; name a folder that it made")
    return Evidence(pd.concat(parts, ignore_index=True), read_history(folder))
