"""The traced messages of a record: whose each was, and when each stage of its way began and ended.

stages.parquet has how long the stages of a message took, messages.parquet who heard it and when, and summary.json when
the measurement began. All moments are by the wall clock of the coordinator's host (`time.time_ns`), not by a monotonic
clock, so they need no conversion to a time of day. If Locust workers run on other hosts, their moments were converted
to that clock during the run, with an error of at most `latency_error_ms`. If the clock was set meanwhile, the run is
not valid.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.parquet

from harness.core.units import parse_utc
from harness.results.reading import OnUnreadable, refuse
from harness.runs.messages_file import MESSAGES_FILE
from harness.runs.stages_file import NO_STAGES, STAGES_FILE
from harness.runs.summary import Summary


class TracedMessage(msgspec.Struct, frozen=True, kw_only=True):
    """One message and its way. Moments are in ns since the epoch."""

    room: str
    member_class: str
    kind: str
    sender: int
    heard_by: int  # number of members
    gateway: int  # place of the one that wrote it last
    due_ns: int
    first_heard_ns: int
    last_heard_ns: int
    acked_ns: int | None  # None: never
    stages_ns: dict[str, int]  # in their order, from due_ns until last_heard_ns
    accepting_ns: int | None  # from its gateway until the backend had accepted it, beside the way


def traced_messages(folder: Path, summary: Summary, on_unreadable: OnUnreadable = refuse) -> list[TracedMessage] | None:
    """The traced messages of the record in this folder, in the order in which they were due.

    None: nothing was traced, or the record is of a version that did not note when the measurement began.
    """
    if summary.stages is None or summary.measured_from_utc is None:
        return None
    reading = folder / "summary.json"
    try:
        start_ns = parse_utc(summary.measured_from_utc)
        reading = folder / MESSAGES_FILE
        messages = _rows(reading)
        reading = folder / STAGES_FILE
        return list(_traced(start_ns, messages, _rows(reading)))
    except (OSError, ValueError, TypeError, LookupError, pa.ArrowException) as problem:
        on_unreadable(reading, problem)
        return None


def _rows(file: Path) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = pa.parquet.read_table(pa.BufferReader(file.read_bytes())).to_pylist()
    return rows


def _traced(start_ns: int, messages: list[dict[str, Any]], ways: list[dict[str, Any]]) -> Iterator[TracedMessage]:
    """Both files have the messages in the same order; messages that look alike are matched in that order."""
    of_way: defaultdict[tuple[int, int, int], deque[dict[str, Any]]] = defaultdict(deque)
    for message in messages:
        if message["last_heard_ns"] is not None:
            due_ns = message["intended_ns"]
            of_way[message["sender"], due_ns, message["last_heard_ns"] - due_ns].append(message)
    for way in ways:
        alike = of_way[way["sender"], way["intended_ns"], way["total_ns"]]
        if not alike:
            raise ValueError(f"it has a message that {MESSAGES_FILE} has not")
        message = alike.popleft()
        yield TracedMessage(
            room=message["room"],
            member_class=message["member_class"],
            kind=message["kind"],
            sender=message["sender"],
            heard_by=message["heard_by"],
            gateway=way["gateway"],
            due_ns=start_ns + message["intended_ns"],
            first_heard_ns=start_ns + message["first_heard_ns"],
            last_heard_ns=start_ns + message["last_heard_ns"],
            acked_ns=None if message["acked_ns"] is None else start_ns + message["acked_ns"],
            stages_ns=_stages_ns(way),
            accepting_ns=way["accepting_ns"],
        )


def _stages_ns(way: dict[str, Any]) -> dict[str, int]:
    """All stages of the row: summary.json of an older version lacks those that only unusual messages have."""
    stages = [column for column in way if column.endswith("_ns") and column not in NO_STAGES]
    return {column.removesuffix("_ns"): way[column] for column in stages if way[column] is not None}
