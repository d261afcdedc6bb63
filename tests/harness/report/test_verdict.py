from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness.measure.validity import DriverVerdict
from harness.report.verdict import Recommendation, judge
from harness.results.frames import frames_of, read_records
from tests.harness.report.records import write_record


def verdict_on(folder: Path) -> Recommendation:
    return judge(frames_of(read_records([folder])))


def rounds(folder: Path, **costs_us: list[float]) -> None:
    for arch, each in costs_us.items():
        for cost_us in each:
            write_record(folder, arch, cost_us=cost_us)


def test_the_cheapest_is_chosen_where_the_interval_leaves_no_doubt(tmp_path: Path) -> None:
    rounds(tmp_path, plan1=[40, 44, 42], plan2=[20, 22, 21])
    verdict = verdict_on(tmp_path)
    assert verdict.choice == "plan2"
    assert verdict.because[0].startswith("it costs the least CPU per delivery")
    assert "plan1 2 times (2 to 2)" in verdict.because[1]
    assert verdict.out == []


def test_who_cannot_be_told_apart_is_chosen_together(tmp_path: Path) -> None:
    rounds(tmp_path, plan1=[20, 30, 25], plan2=[30, 20, 25])
    assert verdict_on(tmp_path).choice == "plan1 or plan2"


def test_one_round_says_that_it_is_one_round(tmp_path: Path) -> None:
    rounds(tmp_path, plan1=[40], plan2=[20])
    verdict = verdict_on(tmp_path)
    assert verdict.choice == "plan2"
    assert any("One round gives no interval" in reason for reason in verdict.because)


def test_an_ack_that_does_not_last_is_said_with_the_best_that_does(tmp_path: Path) -> None:
    rounds(tmp_path, plan1=[40, 44], plan2=[30, 32], redis=[10, 11])
    verdict = verdict_on(tmp_path)
    assert verdict.choice == "redis"
    durable = (
        "With redis, an acked message does not survive a restart of the backend. If it must: plan2, because it costs"
    )
    assert durable in verdict.because[-1]


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        ({"lost": 250, "delivered": 750}, "250 of 1,000 deliveries were lost"),
        ({"duplicated": 3}, "3 of 1,000 deliveries were duplicated"),
        ({"reordered": 1}, "1 of 1,000 deliveries were delivered out of order"),
        ({"driver": DriverVerdict(valid=False, why="late")}, "the driver was too slow"),
        ({"refused": {"not_in_the_room": 50}}, "50 of 150 messages (33.3%) were not taken"),
        ({"neither": 890}, "890 deliveries (47.1%) were owed to nobody"),
    ],
)
def test_who_was_wrong_once_is_out_however_cheap(tmp_path: Path, fault: dict[str, Any], says: str) -> None:
    rounds(tmp_path, plan1=[40], plan2=[50])
    write_record(tmp_path, "redis", cost_us=1, **fault)
    verdict = verdict_on(tmp_path)
    assert verdict.choice == "plan1"
    assert any("redis is out" in reason and says in reason for reason in verdict.out)


def test_who_never_got_to_the_end_is_out(tmp_path: Path) -> None:
    rounds(tmp_path, plan1=[40], plan2=[50])
    write_record(tmp_path, "redis", status="failed")
    assert verdict_on(tmp_path).out == ["redis is out: none of its runs is complete."]


def test_one_alone_is_judged_alone(tmp_path: Path) -> None:
    rounds(tmp_path, plan1=[40])
    verdict = verdict_on(tmp_path)
    assert verdict.choice == "Only plan1 can be judged"
    assert "all 1,000" in verdict.because[0]


@pytest.mark.parametrize("given", [{"status": "failed"}, {"lost": 1}])
def test_nothing_fit_to_judge_gives_no_verdict(tmp_path: Path, given: dict[str, Any]) -> None:
    write_record(tmp_path, **given)
    assert verdict_on(tmp_path).choice == "No verdict"
