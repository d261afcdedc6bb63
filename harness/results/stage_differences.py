"""In which stages the other architectures lose time against the one whose typical message is the fastest."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import pandas as pd

from harness.ledger.passages import BACKEND, COMMON
from harness.results.frames import WORKLOAD

EQUAL_WITHIN = 0.1  # of the faster one's time, as for every figure


class StageDifference(msgspec.Struct, frozen=True, kw_only=True):
    """How much longer a typical message of one architecture takes than one of the fastest, and in which stages."""

    scenario: str
    members: int
    rooms: int | None
    gateways: int
    rate_per_s: float
    payload_bytes: int
    arch: str
    over: str  # the fastest
    rounds: int
    longer_ms: float  # until the last recipient has heard it, mean of the rounds
    least_ms: float  # of the rounds
    most_ms: float
    stages_ms: dict[str, float]  # these add up to longer_ms; what an architecture marks is part of `backend`
    of_all_ms: float | None  # the same difference between all messages, traced or not; None: it was not noted
    error_ms: float  # how far off a stage from host to host may be at most; 0: all is by one clock
    stages_error_ms: dict[str, float] = {}  # of each such stage: the errors of both architectures, added

    @property
    def explained(self) -> float | None:
        """The share of the difference between all messages that the stages of the traced ones account for."""
        return None if not self.of_all_ms else self.longer_ms / self.of_all_ms


def stage_differences(stages: pd.DataFrame) -> list[StageDifference]:
    """A difference for each architecture that is slower in every round, and by more than counts as equal.

    `stages` is the frame of that name.
    """
    return [each for _, here in stages.groupby(list(WORKLOAD), dropna=False, sort=False) for each in _under_one(here)]


def _under_one(here: pd.DataFrame) -> Iterator[StageDifference]:
    common = here["stage"].where(here["stage"].isin(COMMON), BACKEND)
    by_run = here.groupby(["arch", "round", common])["typical_ms"].sum().unstack("stage", fill_value=0)
    errors_ms = here.groupby(["arch", "round", common])["error_ms"].max().unstack("stage", fill_value=0)
    of_all_ms = here.groupby(["arch", "round"])["typical_of_all_ms"].first()
    total_ms = by_run.sum(axis="columns").groupby("arch").mean()
    fastest = str(total_ms.idxmin())
    for name in sorted(set(total_ms.index) - {fastest}):
        longer = (by_run.loc[name] - by_run.loc[fastest]).dropna()  # rounds that both have
        sums_ms = longer.sum(axis="columns")
        if longer.empty or sums_ms.min() <= 0 or sums_ms.mean() <= EQUAL_WITHIN * total_ms[fastest]:
            continue
        all_ms = (of_all_ms.loc[name] - of_all_ms.loc[fastest]).reindex(longer.index).mean(skipna=False)
        both_ms = (errors_ms.loc[name] + errors_ms.loc[fastest]).reindex(longer.index).mean()
        stages_error_ms = {stage: float(both_ms[stage]) for stage in COMMON if both_ms.get(stage, 0.0) > 0}
        workload = {column: here[column].iloc[0] for column in WORKLOAD}
        yield msgspec.convert(
            {
                **{column: None if pd.isna(value) else _plain(value) for column, value in workload.items()},
                "arch": name,
                "over": fastest,
                "rounds": len(longer),
                "longer_ms": float(sums_ms.mean()),
                "least_ms": float(sums_ms.min()),
                "most_ms": float(sums_ms.max()),
                "stages_ms": {stage: float(longer[stage].mean()) for stage in COMMON if stage in longer},
                "of_all_ms": None if pd.isna(all_ms) else float(all_ms),
                "error_ms": max(stages_error_ms.values(), default=0.0),
                "stages_error_ms": stages_error_ms,
            },
            StageDifference,
            strict=False,
        )


def _plain(value: object) -> object:
    return value.item() if hasattr(value, "item") else value
