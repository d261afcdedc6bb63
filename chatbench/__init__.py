"""The public API of chatbench: measured runs as pandas frames, and the types that an architecture of your own uses.

    import chatbench

    frames = chatbench.read_runs("results/reference/big_room")
    frames.runs.groupby("arch")["latency_p99_ms"].median()

Members of a scenario are in `chatbench.locust`, clients for architectures in `chatbench.kafka` and `chatbench.redis`,
and the conformance suite is in `chatbench.testing`. Importing `chatbench` is quick: only `read_runs` and
`read_messages` import pandas.
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
    import pandas as pd

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
    "read_messages",
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


def read_messages(*folders: str | PathLike[str]) -> pd.DataFrame:
    """Read every message of the measurements whose records are in these folders or below them.

    Args:
        folders: folders that `chatbench run`, `compare`, `capacity`, `faults`, `claims` or `costs` has written.

    Returns:
        A DataFrame with a row for each message, by record and then by intended time: the record, the room, the sender
        and the kind of message, when the message was due, sent, acked, heard first and heard last (ns since the
        measurement began), and how many members heard it. The column `record` is that of the frame `runs`.
        docs/data.md explains each column, and which messages of very long runs are left out. A moment that never came
        is missing.

    Raises:
        UsageError: no record in these folders has messages, or one of its files cannot be read.
    """
    from harness.results.messages import messages_of  # noqa: PLC0415 - pandas takes a second to import

    return messages_of([Path(folder) for folder in folders])
