"""messages.parquet: a row for each message of the measurement."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from harness.ipc.messages import KindResult
from harness.ledger.message_times import NEVER, MessageTimes
from harness.ledger.reports import KINDS_MAX, SEQUENCE_BITS
from harness.runs.arrow import chosen, numbers

MESSAGES_FILE = "messages.parquet"
MOMENTS = ("intended_ns", "sent_ns", "acked_ns", "first_heard_ns", "last_heard_ns")
COLUMNS = ("room", "member_class", "kind", "sender", *MOMENTS, "heard_by")


def messages_parquet(messages: MessageTimes, kinds: Sequence[KindResult]) -> bytes:
    """Return the content of the file. `kinds` has the class and the name of each kind of message, by its number."""
    identity = messages.column("identity")
    kind = identity & (KINDS_MAX - 1)
    columns = {
        "room": chosen(messages.column("room"), messages.rooms),
        "member_class": chosen(kind, [each.member for each in kinds]),
        "kind": chosen(kind, [each.name for each in kinds]),
        "sender": numbers((identity >> SEQUENCE_BITS).astype(np.int32)),
        **{name: _moments(messages, name) for name in MOMENTS},
        "heard_by": numbers(messages.column("heard_by").astype(np.int32)),
    }
    out = pa.BufferOutputStream()
    # A moment differs little from the one in the row before, so the differences are stored.
    encodings = dict.fromkeys((*MOMENTS, "sender", "heard_by"), "DELTA_BINARY_PACKED")
    pq.write_table(
        pa.table(columns),
        out,
        compression="zstd",
        use_dictionary=["room", "member_class", "kind"],
        column_encoding=encodings,
    )
    content: bytes = out.getvalue().to_pybytes()
    return content


def _moments(messages: MessageTimes, name: str) -> pa.Array:
    """Return the moments, with null in the place of one that never came."""
    moments = messages.column(name)
    return numbers(moments, moments == NEVER)
