"""The table of the slowest messages, on a terminal and on the page."""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import Any

import msgspec
import pytest
from rich.console import Console

from harness.report.html import write_report
from harness.report.slowest_messages import head_of, rows_of, slowest_table, title_of
from harness.results.slowest import Slowest, SlowMessage
from tests.harness.report.records import write_record
from tests.harness.results.test_slowest import TRACED, way, write_ways

LOAD: dict[str, Any] = {
    "scenario": "s",
    "members": 2,
    "rooms": 1,
    "gateways": 1,
    "rate_per_s": 20.0,
    "payload_bytes": 9,
}


def slowest(rounds: int, one_in: int | None) -> Slowest:
    stages_ms = [{"sending": 1.0, "backend": 6.0, "to_member": 2.0}, {"sending": 4.0, "backend": 3.0}]
    messages = [
        SlowMessage(round=1, sent_s=2.5, room="r", total_ms=sum(each.values()), stages_ms=each) for each in stages_ms
    ]
    return Slowest(**LOAD, arch="plan1", rounds=rounds, traced=2_400, one_in=one_in, messages=messages)


def test_the_title_says_what_the_table_rests_on() -> None:
    assert title_of(slowest(1, 8)) == "plan1: the 2 slowest of 2,400 traced messages, one in 8"
    assert title_of(slowest(1, 1)) == "plan1: the 2 slowest of 2,400 traced messages, which are all"
    assert title_of(slowest(3, None)) == "plan1: the 2 slowest of 2,400 traced messages, in 3 rounds"


def test_the_largest_stage_of_each_message_is_marked_and_a_stage_that_it_lacks_is_no_zero() -> None:
    assert head_of(slowest(1, 8)) == ["sent at, s", "room", "until the last member", "sending", "backend", "to member"]
    first, second = rows_of(slowest(1, 8))
    assert [text for text, _ in first] == ["2.500", "r", "9.00", "1.00", "6.00", "2.00"]
    assert [text for text, is_largest in first if is_largest] == ["6.00"]
    assert second[3:] == [("4.00", True), ("3.00", False), ("-", False)]


def test_a_stage_between_two_hosts_has_its_error_in_the_head() -> None:
    by_two_clocks = msgspec.structs.replace(slowest(1, 8), error_ms={"backend": 0.004, "to_member": 0.5})
    assert head_of(by_two_clocks)[-2:] == ["backend ± 0.004", "to member ± 0.5"]


def test_of_several_rounds_each_message_names_its_own() -> None:
    assert head_of(slowest(2, 8))[0] == "round"
    assert rows_of(slowest(2, 8))[0][0] == ("1", False)


def test_a_narrow_window_keeps_the_stages_that_take_longest() -> None:
    assert "In a wider window" not in printed(80)
    assert "In a wider window also: to member." in printed(40)


def printed(width: int) -> str:
    out = io.StringIO()
    Console(file=out, width=width).print(slowest_table(slowest(1, 8)))
    return out.getvalue()


@pytest.mark.slow
def test_the_page_opens_the_table_of_a_single_architecture(tmp_path: Path) -> None:
    write_ways(write_record(tmp_path, stages=TRACED), way(1, 9), way(2, 30))
    text = Path(write_report([tmp_path], tmp_path).page).read_text()
    assert "<details open><summary>plan1: the 2 slowest of 500 traced messages, one in 5</summary>" in text
    assert re.findall(r'<td class="largest">([\d.]+)</td>', text) == ["29.00", "8.00"]
    write_ways(write_record(tmp_path, "redis", stages=TRACED), way(1, 9))
    assert Path(write_report([tmp_path], tmp_path).page).read_text().count("<details><summary>") == 2
