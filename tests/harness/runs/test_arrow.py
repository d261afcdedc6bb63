"""Arrow arrays that are made without pandas."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pyarrow as pa
import pytest

from harness.runs.arrow import chosen, numbers, numbers_or_none, texts


@pytest.mark.parametrize("dtype", [np.int16, np.int32, np.int64])
def test_numbers_are_those_that_pyarrow_makes_itself(dtype: type[np.integer]) -> None:
    values = np.arange(-5, 15).astype(dtype)[::2]  # not contiguous
    missing = values % 3 == 0
    assert numbers(values).equals(pa.array(values))
    assert numbers(values, missing).equals(pa.array(values, mask=missing))
    assert numbers(values[:0], missing[:0]).equals(pa.array(values[:0]))
    assert numbers_or_none([1, None, 0], dtype).equals(pa.array([1, None, 0], pa.from_numpy_dtype(dtype)))


@pytest.mark.parametrize("values", [[], ["a", "", "방 é"], ["x" * 1000] * 3])
def test_texts_are_those_that_pyarrow_makes_itself(values: list[str]) -> None:
    assert texts(values).equals(pa.array(values, pa.string()))


def test_texts_that_repeat_are_kept_once() -> None:
    array = chosen(np.array([1, 0, 1]), ["quiet", "busy"])
    assert array.to_pylist() == ["busy", "quiet", "busy"]
    assert len(array.dictionary) == 2


@pytest.mark.slow
def test_a_run_writes_its_files_without_pandas() -> None:
    source = """
import sys
import numpy as np
from harness.ipc.messages import KindResult
from harness.ledger.message_times import MessageTimes
from harness.ledger.stages import Way
from harness.runs.messages_file import messages_parquet
from harness.runs.stages_file import stages_parquet
chat = KindResult("Member", "chat", 0, 0, 0, 0, 0, b"", b"")
assert messages_parquet(MessageTimes(["quiet"], np.zeros((8, 3), dtype=np.int64).tobytes()), [chat])
assert stages_parquet([Way(1, "quiet", 2, 0, 30, {"fan_out": 30}, None)])
print("pandas" in sys.modules)
"""
    answer = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, check=True)
    assert answer.stdout == "False\n"
