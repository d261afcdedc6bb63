"""Messages of records as a frame."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from chatbench import read_messages
from harness.core.errors import UsageError
from harness.ipc.messages import KindResult
from harness.ledger.message_times import NEVER, MessageTimes
from harness.runs.messages_file import COLUMNS, MESSAGES_FILE, messages_parquet
from tests.harness.report.records import write_record

KINDS = [
    KindResult(member="Viewer", name="chat", sent=1, acked=1, expected=1, delivered=1, lost=0, latency=b"", ack=b"")
]


def write_messages(record: Path, rooms: list[str], *rows: list[int]) -> None:
    times = MessageTimes(rooms, np.array(rows, dtype=np.int64).T.tobytes())
    (record / MESSAGES_FILE).write_bytes(messages_parquet(times, KINDS))


def test_messages_of_all_records_are_in_one_typed_frame(tmp_path: Path) -> None:
    first, second = write_record(tmp_path, "plan1"), write_record(tmp_path, "redis")
    write_record(tmp_path, "direct")  # of a version that kept no messages
    write_messages(first, ["a"], [0, 0, 10, 2**60 + 1, 30, 40, 50, 2])
    write_messages(second, ["b"], [0, 0, 10, 20, NEVER, NEVER, NEVER, 0])
    messages = read_messages(tmp_path)
    assert list(messages.columns) == ["record", *COLUMNS]
    assert messages["record"].tolist() == [first.name, second.name]
    assert messages["room"].tolist() == ["a", "b"]
    assert messages["sent_ns"].tolist() == [2**60 + 1, 20], "nanoseconds are exact"
    assert messages["acked_ns"].isna().tolist() == [False, True]
    assert {str(messages[name].dtype) for name in COLUMNS if name.endswith("_ns")} == {"Int64"}


def test_records_without_messages_are_an_error_that_says_so(tmp_path: Path) -> None:
    write_record(tmp_path, "plan1")
    with pytest.raises(UsageError, match=r"no record in .* has messages\.parquet"):
        read_messages(tmp_path)


def test_a_file_that_was_cut_is_an_error_that_names_it(tmp_path: Path) -> None:
    record = write_record(tmp_path, "plan1")
    write_messages(record, ["a"], [0, 0, 10, 20, 30, 40, 50, 2])
    whole = (record / MESSAGES_FILE).read_bytes()
    (record / MESSAGES_FILE).write_bytes(whole[:-20])
    with pytest.raises(UsageError, match=r"messages\.parquet cannot be read"):
        read_messages(tmp_path)


@pytest.mark.parametrize(("column", "value"), [("sender", None), ("sent_ns", "soon")])
def test_a_file_that_was_edited_is_an_error_that_names_it(tmp_path: Path, column: str, value: str | None) -> None:
    record = write_record(tmp_path, "plan1")
    write_messages(record, ["a"], [0, 0, 10, 20, 30, 40, 50, 2])
    messages = pd.read_parquet(io.BytesIO((record / MESSAGES_FILE).read_bytes()))
    messages[column] = pd.Series([value])
    messages.to_parquet(record / MESSAGES_FILE)
    with pytest.raises(UsageError, match=r"messages\.parquet cannot be read"):
        read_messages(tmp_path)
