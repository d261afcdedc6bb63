"""The public API of chatbench: measured runs as pandas frames, and the types that an architecture of your own uses.

    import chatbench

    frames = chatbench.read_runs("results/reference/big_room")
    frames.runs.groupby("arch")["latency_p99_ms"].median()

Members of a scenario are in `chatbench.locust`, clients for architectures in `chatbench.kafka` and `chatbench.redis`,
and the conformance suite is in `chatbench.testing`. Importing `chatbench` is quick: only `read_runs` imports pandas.
"""

from __future__ import annotations

from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

from architectures.interface import (
    Architecture,
    BadTopology,
    Delivery,
    GoneForGood,
    Moving,
    Promises,
    Rejected,
    Requirements,
    Role,
    Services,
    Topology,
)
from architectures.routes import Route, Scene
from harness.core.errors import UsageError

if TYPE_CHECKING:
    from harness.results.frames import Frames

__all__ = [
    "Architecture",
    "BadTopology",
    "Delivery",
    "GoneForGood",
    "Moving",
    "Promises",
    "Rejected",
    "Requirements",
    "Role",
    "Route",
    "Scene",
    "Services",
    "Topology",
    "UsageError",
    "read_runs",
]


def read_runs(*folders: str | PathLike[str]) -> Frames:
    """Read every run whose record is in these folders or below them, as pandas frames.

    Args:
        folders: folders that `chatbench run`, `compare`, `capacity`, `faults`, `claims` or `costs` has written.

    Returns:
        `Frames`, each of whose attributes is a DataFrame: `runs` has a row for each run, `seconds` one for each second
        of a run, `latency` the steps of each architecture's latency distribution, `percentiles` its percentiles over
        all rounds, `promises` the promises and whether each was held, `faults` the faults that were injected, and
        `ratios` architectures compared pairwise. Column names contain the units, and docs/data.md explains each
        column. A value that was not measured is missing, never 0.

    Raises:
        UsageError: there is no record in these folders, or one of its files cannot be read.
    """
    from harness.results.frames import frames_of, read_records  # noqa: PLC0415 - pandas takes a second to import

    return frames_of(read_records([Path(folder) for folder in folders]))
