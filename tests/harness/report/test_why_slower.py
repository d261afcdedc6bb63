"""Why an architecture is slower, in words."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.report.html import write_report
from harness.report.why_slower import why_slower
from harness.results.stage_differences import StageDifference
from tests.harness.results.test_stage_differences import write_run


def difference(rounds: int = 1, of_all_ms: float | None = None, **stages_error_ms: float) -> StageDifference:
    return StageDifference(
        scenario="s",
        members=2,
        rooms=1,
        gateways=1,
        rate_per_s=20.0,
        payload_bytes=100,
        arch="plan1",
        over="redis",
        rounds=rounds,
        longer_ms=4.0,
        least_ms=3.0,
        most_ms=5.0,
        stages_ms={"sending": 0.01, "to_gateway": 0.4, "backend": 3.8, "waiting": -0.21},
        of_all_ms=of_all_ms,
        error_ms=max(stages_error_ms.values(), default=0.0),
        stages_error_ms=stages_error_ms,
    )


def test_the_largest_share_comes_first_and_what_is_next_to_nothing_is_left_out() -> None:
    assert why_slower(difference()) == "plan1 takes 4 ms longer than redis: backend 95%, to gateway 10%, waiting -5%."


def test_it_says_how_sure_that_is() -> None:
    text = why_slower(difference(rounds=6, of_all_ms=4.1))
    assert "longer than redis (3 to 5 in 6 rounds): backend" in text
    assert "Between all messages, traced or not, the difference is 4.1 ms: the stages add up to 98% of it." in text


def test_a_stage_that_the_clocks_may_explain_has_no_share() -> None:
    text = why_slower(difference(to_gateway=0.5, backend=1.0))
    assert "longer than redis: backend 95% ± 25%, waiting -5%." in text
    rest = "which is more than the differences of: to gateway."
    assert text.endswith(f"Stages from host to host are ± 1 ms at most, by the hosts' clocks, {rest}")


def test_a_difference_in_no_stage_for_certain_is_told_as_such() -> None:
    text = why_slower(difference(to_gateway=9.0, backend=9.0, waiting=9.0))
    assert text.startswith("plan1 takes 4 ms longer than redis: in no stage for certain.")


@pytest.mark.slow
def test_the_page_of_a_comparison_says_why(tmp_path: Path) -> None:
    write_run(tmp_path, "redis", 5.0, sending=1, backend=4)
    write_run(tmp_path, "plan1", 15.0, sending=1, backend=14)
    text = Path(write_report([tmp_path], tmp_path).page).read_text()
    assert "<h3>Why the others are slower</h3>" in text
    assert "<li>plan1 takes 10 ms longer than redis: backend 100%." in text
