from pathlib import Path

import matplotlib.image
import msgspec
import numpy as np
import pytest

from harness.config import RunSettings
from harness.measure.validity import DriverVerdict
from harness.record import Record
from harness.report.charts import draw_latency_over_time
from harness.summary import Summary
from tests.harness.test_record import TICK

SUMMARY = Summary(arch="plan1", scenario="big_room", status="complete", members=2, gateways=2)


def record_with(tmp_path: Path, seconds: int, warmup: int, valid: bool | None = True) -> Path:
    record = Record(tmp_path, RunSettings(arch="plan1"), "big_room")
    for second in range(warmup):
        record.add_second(msgspec.structs.replace(TICK, phase="warm-up", second=second, latency_p99_ms=300.0))
    for second in range(seconds):
        record.add_second(msgspec.structs.replace(TICK, second=second))
    record.write_summary(msgspec.structs.replace(SUMMARY, driver=DriverVerdict(valid=valid, why=None)))
    return record.folder


@pytest.mark.parametrize(("seconds", "warmup"), [(30, 10), (5, 0), (1, 1), (0, 0)])
def test_a_picture_comes_of_any_record(tmp_path: Path, seconds: int, warmup: int) -> None:
    picture = matplotlib.image.imread(draw_latency_over_time(record_with(tmp_path, seconds, warmup)))
    assert picture.shape[1] > picture.shape[0] > 400


def test_an_invalid_run_looks_different(tmp_path: Path) -> None:
    pictures = [
        matplotlib.image.imread(draw_latency_over_time(record_with(tmp_path, 5, 2, valid))) for valid in (True, False)
    ]
    assert not np.array_equal(pictures[0], pictures[1])
