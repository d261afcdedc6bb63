"""stages.parquet: a row for each traced message, with how long each stage of its way took."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.parquet as pq

from harness.ledger.reports import sender_of
from harness.ledger.stages import Way, names_of

STAGES_FILE = "stages.parquet"
NO_STAGES = ("intended_ns", "total_ns", "accepting_ns")  # columns in ns that are no stages


def stages_parquet(ways: Sequence[Way]) -> bytes:
    """Return the content of the file; each stage is a column with the suffix _ns, and null where there was none."""
    columns = {
        "room": pa.array([way.room for way in ways], pa.string()).dictionary_encode(),
        "sender": pa.array([sender_of(way.identity) for way in ways], pa.int32()),
        "intended_ns": pa.array([way.intended_ns for way in ways], pa.int64()),
        "gateway": pa.array([way.gateway for way in ways], pa.int16()),
        "total_ns": pa.array([way.total_ns for way in ways], pa.int64()),
        "accepting_ns": pa.array([way.accepting_ns for way in ways], pa.int64()),
        **{
            f"{name}_ns": pa.array([way.stages_ns.get(name) for way in ways], pa.int64())
            for name in (names_of(ways) if ways else [])
        },
    }
    out = pa.BufferOutputStream()
    pq.write_table(pa.table(columns), out, compression="zstd")
    content: bytes = out.getvalue().to_pybytes()
    return content
