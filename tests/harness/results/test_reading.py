"""Records that are incomplete, belong to another program, or were edited by hand."""

from __future__ import annotations

import base64
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from hdrh.histogram import HdrHistogram
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.cli.main import main
from harness.core.errors import UsageError
from harness.measure.histogram import LATENCY_MAX_US, Latencies
from harness.report.html import write_report
from harness.results.frames import frames_of, read_records
from harness.results.reading import leaving_out, read_histogram, read_seconds, refuse
from harness.runs.record import CPU_COLUMNS, TIMESERIES_COLUMNS
from tests.harness.report.records import write_record

HEAD = ",".join(TIMESERIES_COLUMNS).encode() + b"\r\n"
ROW = b"measure,0,4,4,40,5.0,6.0,7.0,8.0\r\n"


def seconds_of(content: bytes, tmp_path: Path) -> tuple[list[int], list[str]]:
    """Which seconds were read of such a file, and what was told."""
    file, told = tmp_path / "timeseries.csv", list[str]()
    file.write_bytes(content)
    return read_seconds(file, leaving_out(told))["second"].tolist(), told


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "No columns to parse"),
        (HEAD[:20], "No columns to parse"),
        (b"a,b\n1,2\n", "it has no column phase"),
        (b"PAR1" + bytes(100) + b"PAR1", "No columns to parse"),
        (bytes(4096), "No columns to parse"),
    ],
)
def test_seconds_that_are_none_are_told_with_their_file(tmp_path: Path, content: bytes, why: str) -> None:
    read, (told,) = seconds_of(content, tmp_path)
    assert read == []
    assert told.startswith(f"left out: {tmp_path / 'timeseries.csv'} cannot be read (")
    assert why in told
    assert "\n" not in told


@pytest.mark.parametrize(
    "cut", [ROW[:-4], b"measure,1\r\n", bytes(9) + b"\r\n", b"measure,x,4,4,40,,,,\r\n", b"drain,1,4,4,40,,,,\r\n"]
)
def test_of_seconds_that_were_cut_the_others_are_read(tmp_path: Path, cut: bytes) -> None:
    read, (told,) = seconds_of(HEAD + ROW + cut, tmp_path)
    assert read == [0]
    assert "1 of its lines is incomplete or not numeric" in told


def test_seconds_as_a_run_writes_them_are_all_read(tmp_path: Path) -> None:
    assert seconds_of(HEAD + ROW + b"warm-up,7,0,0,0,,,,\r\n", tmp_path) == ([0, 7], [])
    assert seconds_of(HEAD, tmp_path) == ([], [])


def test_cpu_columns_that_older_records_lack_are_not_measured(tmp_path: Path) -> None:
    (tmp_path / "timeseries.csv").write_bytes(HEAD + ROW)
    (second,) = read_seconds(tmp_path / "timeseries.csv").to_dict("records")
    assert all(pd.isna(second[column]) for column in CPU_COLUMNS)


@pytest.mark.parametrize("each_gateway", ["20.5 10.0", "- 10.0", "20.5 -"])
def test_cpu_columns_are_read(tmp_path: Path, each_gateway: str) -> None:
    head = HEAD.rstrip() + f",{','.join(CPU_COLUMNS)}\r\n".encode()
    cells = {"gateway_cpu_ms": "30.5", "each_gateway_cpu_ms": each_gateway, "driver_cpu_ms": "x"}
    row = ROW.rstrip() + f",{','.join(cells.get(column, '') for column in CPU_COLUMNS)}\r\n".encode()
    (tmp_path / "timeseries.csv").write_bytes(head + row)
    (second,) = read_seconds(tmp_path / "timeseries.csv").to_dict("records")
    assert (second["gateway_cpu_ms"], second["each_gateway_cpu_ms"]) == (30.5, each_gateway)
    assert pd.isna(second["kafka_cpu_ms"])
    assert pd.isna(second["driver_cpu_ms"])


def foreign(**range_: int) -> bytes:
    histogram = HdrHistogram(range_.get("least", 1), range_.get("most", 3_600_000_000), 2)
    histogram.record_value(3_000_000_000)
    histogram.record_value(1500)
    return bytes(histogram.encode())


def test_latencies_past_ten_minutes_count_as_that_long(tmp_path: Path) -> None:
    (tmp_path / "latency.hdr").write_bytes(foreign())
    latencies = read_histogram(tmp_path / "latency.hdr")
    assert latencies is not None
    assert latencies.count == 2
    assert latencies.summary().max == pytest.approx(LATENCY_MAX_US / 1000, rel=0.01)


def cut_inside() -> bytes:
    header, payload = base64.b64decode(foreign())[:8], zlib.decompress(base64.b64decode(foreign())[8:])
    packed = zlib.compress(payload[: len(payload) // 2])
    return base64.b64encode(header[:4] + len(packed).to_bytes(4, "big") + packed)


@pytest.mark.parametrize("content", [b"", b"garbage", bytes(100), b"\xff" * 100, foreign()[:40], cut_inside(), b"PAR1"])
def test_a_histogram_that_is_none_is_told_with_its_file(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "latency.hdr"
    file.write_bytes(content)
    told: list[str] = []
    assert read_histogram(file, leaving_out(told)) is None
    assert told[0].startswith(f"left out: {file} cannot be read (it is not an HDR histogram")
    with pytest.raises(UsageError, match="move the record away or repair it"):
        read_histogram(file, refuse)


def breaking(name: str, how: Callable[[bytes], bytes]) -> Callable[[Path], object]:
    return lambda folder: (folder / name).write_bytes(how((folder / name).read_bytes()))


BREAKS = {
    "an empty timeseries.csv": breaking("timeseries.csv", lambda _was: b""),
    "a foreign timeseries.csv": breaking("timeseries.csv", lambda _was: b"time,temperature\n1,21.5\n"),
    "no timeseries.csv": lambda folder: (folder / "timeseries.csv").unlink(),
    "a garbage latency.hdr": breaking("latency.hdr", lambda _was: b"garbage"),
    "a cut latency.hdr": breaking("latency.hdr", lambda was: was[: len(was) // 2]),
    "NULs for a summary.json": breaking("summary.json", lambda was: bytes(len(was))),
    "a cut manifest.json": breaking("manifest.json", lambda was: was[:100]),
    "a foreign manifest.json": breaking("manifest.json", lambda _was: b'{"settings": 3}'),
    "a number of another world": breaking("summary.json", lambda was: was.replace(b"100", b"1" * 60, 1)),
}


@pytest.mark.slow
@pytest.mark.parametrize("broken", BREAKS.values(), ids=BREAKS.keys())
def test_what_cannot_be_read_is_told_and_the_rest_is_reported(tmp_path: Path, broken: Callable[[Path], object]) -> None:
    first, second = write_record(tmp_path, "plan1"), write_record(tmp_path, "redis")
    broken(first)
    made = write_report([tmp_path], tmp_path)
    (comparison,) = made.comparisons
    assert made.left_out
    assert all(str(first) in told for told in made.left_out)
    assert made.left_out[0] in Path(made.page).read_text()
    assert "redis" in comparison.names
    assert str(second) not in " ".join(made.left_out)


@pytest.mark.slow
def test_the_command_tells_it_in_a_sentence_each(tmp_path: Path) -> None:
    folder = write_record(tmp_path)
    (folder / "timeseries.csv").write_bytes(b"")
    answer = CliRunner().invoke(main, ["report", str(tmp_path)])
    assert answer.exit_code == 0
    assert answer.stderr == (
        f"chatbench: left out: {folder / 'timeseries.csv'} cannot be read (No columns to parse from file)\n"
    )


def test_where_nothing_can_be_read_it_is_said_which_file_is_at_fault(tmp_path: Path) -> None:
    folder = write_record(tmp_path)
    (folder / "summary.json").write_bytes(b"{")
    answer = CliRunner().invoke(main, ["report", str(tmp_path)])
    assert answer.exit_code == 2
    assert f"{folder / 'summary.json'} cannot be read" in answer.stderr


FILES = ("summary.json", "manifest.json", "timeseries.csv", "latency.hdr")
VALUES = (b"", b"null", b"-1", b"0", b"1e300", b"9" * 30, b'"x"', b"{}", b"[]")
PLACES = st.tuples(st.sampled_from(FILES), st.floats(0, 1), st.integers(0, 40))


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_record(tmp_path_factory.mktemp("records"))


@pytest.mark.slow
@settings(max_examples=150, derandomize=True, deadline=None)
@given(where=PLACES, instead=st.binary(max_size=12) | st.sampled_from(VALUES))
def test_any_file_of_a_record_may_be_anything(whole: Path, where: tuple[str, float, int], instead: bytes) -> None:
    name, share, length = where
    file = whole / name
    before = file.read_bytes()
    place = int(share * len(before))
    file.write_bytes(before[:place] + instead + before[place + length :])
    try:
        records = read_records([whole], leaving_out([]))
        frames_of(records, leaving_out([])).write(whole.parent / "frames")
    except UsageError as problem:
        assert str(file) in str(problem)  # noqa: PT017 - either will do
    finally:
        file.write_bytes(before)


def test_a_histogram_of_another_range_is_read() -> None:
    latencies = Latencies.decode(foreign(most=10_000_000_000))
    assert latencies.percentile_ms(50) == pytest.approx(1.5, rel=0.02)
    assert np.isfinite(latencies.summary().max or np.nan)
