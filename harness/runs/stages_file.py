"""stages.parquet: a row for each traced message, with how long each stage of its way took."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from harness.ledger.reports import sender_of
from harness.ledger.stages import Way, names_of
from harness.runs.arrow import chosen, numbers_or_none

STAGES_FILE = "stages.parquet"
NO_STAGES = ("intended_ns", "total_ns", "accepting_ns")  # columns in ns that are not stages


def stages_parquet(ways: Sequence[Way]) -> bytes:
    """Return the content of the file; each stage is a column with the suffix _ns, and null where there was none."""
    rooms = {room: place for place, room in enumerate(dict.fromkeys(way.room for way in ways))}
    columns = {
        "room": chosen(np.array([rooms[way.room] for way in ways], dtype=np.int64), list(rooms)),
        "sender": numbers_or_none([sender_of(way.identity) for way in ways], np.int32),
        "intended_ns": numbers_or_none([way.intended_ns for way in ways], np.int64),
        "gateway": numbers_or_none([way.gateway for way in ways], np.int16),
        "total_ns": numbers_or_none([way.total_ns for way in ways], np.int64),
        "accepting_ns": numbers_or_none([way.accepting_ns for way in ways], np.int64),
        **{
            f"{name}_ns": numbers_or_none([way.stages_ns.get(name) for way in ways], np.int64)
            for name in (names_of(ways) if ways else [])
        },
    }
    out = pa.BufferOutputStream()
    pq.write_table(pa.table(columns), out, compression="zstd")
    content: bytes = out.getvalue().to_pybytes()
    return content
