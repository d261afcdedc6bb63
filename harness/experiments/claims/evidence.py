"""What the experiments gave, and how judges look at it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from harness.core.errors import UsageError
from harness.experiments.claims.durability import Readable, read_history
from harness.measure.ratio import Ratio, ratio_of
from harness.results.frames import read_records, runs_of


class InsufficientData(Exception):
    """A figure that a verdict needs was not measured, or is not valid; the text says which."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """`runs`: a row a run, as Frames.runs, with the column `experiment`. `readable`: what could be read back."""

    runs: pd.DataFrame
    readable: Sequence[Readable]

    def of(self, experiment: str, arch: str | None = None, **columns: object) -> pd.DataFrame:
        """The complete runs of an experiment, of one architecture (in its variant), and with these values."""
        runs = self.runs[(self.runs["experiment"] == experiment) & (self.runs["status"] == "complete")]
        for column, value in ({} if arch is None else {"arch": arch}).items() | columns.items():
            runs = runs[runs[column] == value]
        if runs.empty:
            raise InsufficientData(f"no complete run of {arch or 'any architecture'} in {experiment}")
        return runs

    def found(self, experiment: str, column: str, arch: str | None = None, **columns: object) -> float | None:
        """The mean of the rounds; None if none of them measured it."""
        values = self.of(experiment, arch, **columns)[column].dropna()
        return None if values.empty else float(values.mean())

    def mean(self, experiment: str, column: str, arch: str | None = None, **columns: object) -> float:
        """As found; raises InsufficientData where that has nothing."""
        value = self.found(experiment, column, arch, **columns)
        if value is None:
            raise InsufficientData(f"{column} of {arch} in {experiment} was not measured, or its driver was not valid")
        return value

    def total(self, experiment: str, column: str, arch: str | None = None, **columns: object) -> int:
        return int(self.of(experiment, arch, **columns)[column].sum())

    def ratio(self, experiment: str, column: str, arch: str, over: str, **columns: object) -> Ratio:
        """Of two architectures, round by round; raises InsufficientData if no round has both."""
        by_round = [self.of(experiment, name, **columns).set_index("round")[column] for name in (arch, over)]
        both = pd.concat(by_round, axis=1, keys=["arch", "over"]).dropna()
        ratio = ratio_of(both["arch"].tolist(), both["over"].tolist())
        if ratio is None:
            raise InsufficientData(f"{column} of {arch} and {over} in {experiment} was not measured in the same round")
        return ratio


def read_evidence(folder: Path) -> Evidence:
    """Of the folder of a study: `runs/<experiment>/` and what could be read back."""
    parts = []
    for experiment in sorted(path for path in (folder / "runs").glob("*") if path.is_dir()):
        parts.append(runs_of(read_records([experiment])).assign(experiment=experiment.name))
    if not parts:
        raise UsageError(f"there is nothing in {folder} that `chatbench claims` has measured; name a folder it made")
    return Evidence(pd.concat(parts, ignore_index=True), read_history(folder))
