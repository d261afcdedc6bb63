"""The messages of runs as a frame: each one's moments and how many members heard it."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import pyarrow as pa

from harness.core.errors import UsageError
from harness.results.reading import refuse
from harness.runs.messages_file import COLUMNS, MESSAGES_FILE, MOMENTS
from harness.runs.record import record_folders

NAMES = ("room", "member_class", "kind")
TYPES = dict.fromkeys(NAMES, "str") | dict.fromkeys(MOMENTS, "Int64") | {"heard_by": "int64", "sender": "int64"}


def messages_of(folders: Sequence[Path]) -> pd.DataFrame:
    """The messages of every record in these folders and below them, record by record.

    Raises UsageError if no record has messages, or if a file cannot be read.
    """
    records = dict.fromkeys(record for folder in folders for record in record_folders(folder))
    files = [record / MESSAGES_FILE for record in records if (record / MESSAGES_FILE).exists()]
    if not files:
        names = ", ".join(str(folder) for folder in folders)
        raise UsageError(
            f"no record in {names} has {MESSAGES_FILE}; name a folder that `run` or `compare` of this version made"
        )
    messages = pd.concat([_read(file) for file in files], ignore_index=True)
    # Categories differ from record to record, and concat makes texts of them.
    return messages.astype(dict.fromkeys(["record", *NAMES], "category"))


def _read(file: Path) -> pd.DataFrame:
    try:
        messages = pd.read_parquet(io.BytesIO(file.read_bytes()), dtype_backend="numpy_nullable")
        if missing := [column for column in COLUMNS if column not in messages.columns]:
            raise ValueError(f"it has no column {missing[0]}")
        messages = messages[list(COLUMNS)].astype(TYPES)
    except (OSError, ValueError, TypeError, pa.ArrowException) as problem:
        refuse(file, problem)
        raise
    return messages.assign(record=file.parent.name)[["record", *COLUMNS]]
