from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from harness.measure.validity import DriverVerdict
from harness.report.comparison import compare, split_by
from harness.report.ranking import choice_lines, ranking
from harness.results.frames import WORKLOAD, frames_of, read_records
from tests.harness.report.records import write_record
from tools.docs.quotes import REFERENCE


def printed(folder: Path, width: int) -> str:
    out = io.StringIO()
    console = Console(file=out, width=width, markup=False, highlight=False)
    *_, one_rate = split_by(frames_of(read_records([folder])), WORKLOAD)
    comparison = compare(one_rate)
    for each in (*choice_lines(comparison), ranking(comparison)):
        console.print(each)
    return out.getvalue()


@pytest.mark.slow
@pytest.mark.parametrize("width", [40, 80, 100, 160])
def test_each_architecture_is_a_row_with_its_whole_name_in_every_window(width: int) -> None:
    text = printed(REFERENCE / "peers_big_room", width)
    names = ["redis", "socketio", "python-socketio", "plan1", "channels"]
    rows = [line.split()[0] for line in text.splitlines() if line.strip()]
    found = [name for name in rows if name in names][-len(names) :]
    assert sorted(found) == sorted(names)
    assert found[0] == "redis"
    assert found[-1] == "channels", "the cheapest first"
    assert "\N{HORIZONTAL ELLIPSIS}" not in text
    assert all(len(line) <= width for line in text.splitlines())


@pytest.mark.slow
def test_the_verdict_comes_before_any_figure() -> None:
    lines = printed(REFERENCE / "big_room", 80).splitlines()
    assert lines[0].startswith("big_room · 100 members")
    assert lines[1].startswith("For this workload: redis, because")


@pytest.mark.slow
def test_the_range_of_the_rounds_is_beside_p99_at_80_columns() -> None:
    (row,) = (line for line in printed(REFERENCE / "big_room", 80).splitlines() if line.startswith("plan1 "))
    assert row.split() == ["plan1", "0", "3.0", "7.4", "6.5", "to", "14.0", "15.8"]


def test_who_was_wrong_comes_last_and_says_how(tmp_path: Path) -> None:
    write_record(tmp_path, "naive", cost_us=1, lost=750, delivered=250)
    write_record(tmp_path, "plan1", driver=DriverVerdict(valid=False, why="late"))
    write_record(tmp_path, "plan2", status="failed")
    text = printed(tmp_path, 120)
    rows = [
        line for line in text.splitlines() if line.startswith(("naive ", "plan1 ", "plan2 ")) and "is out" not in line
    ]
    assert [row.split()[0] for row in rows] == ["plan1", "naive", "plan2"]
    assert "not valid" in rows[0]
    assert "750 lost" in rows[1]
    assert "no complete run" in rows[2]


def test_a_p99_that_too_few_messages_support_is_not_shown_and_a_sentence_says_why(tmp_path: Path) -> None:
    write_record(tmp_path, "plan1", independent_messages=80)
    text = printed(tmp_path, 120)
    assert "delivery latency p99 is n/a: 80 messages, 1,000 needed." in text
    (row,) = (line for line in text.splitlines() if line.startswith("plan1 "))
    assert "n/a" in row.split()
