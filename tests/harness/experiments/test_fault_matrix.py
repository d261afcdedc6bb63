"""The cells of the fault matrix: what was promised and what was observed."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from architectures.plan1 import Plan1
from architectures.redis_pubsub import RedisPubSub
from harness.core.errors import UsageError
from harness.core.faults import Fault, parse_fault
from harness.core.settings import RunSettings
from harness.experiments.fault_matrix import FAULTS, Matrix, judge_cell, markdown, plan, verdict_of
from harness.measure.validity import DriverVerdict
from harness.report.faults import faults_lines
from harness.runs.promises import IN_USE, NORMAL, SURVIVES, PromiseCheck
from harness.runs.summary import FaultSeen, Summary

COMMON = RunSettings(arch="plan1", brokers=3, duration_s=20.0)
THE_FOUR = ("plan1", "plan2", "redis", "kafka-redis")


def seen(kind: str, held: bool | None, **given: Any) -> Summary:
    fault = FaultSeen(fault=kind, began_s=6.7, ended_s=None, first_delivery_ms=120.0, normal_ms=0.0)
    return Summary(
        arch="plan1",
        scenario="big_room",
        status="complete",
        members=10,
        gateways=2,
        **{
            "lost": 7,
            "lost_acked": 5,
            "lost_in_break": 5,
            "duplicated": 0,
            "reordered": 0,
            "refused": {"not_accepted": 2},
            "faults": [fault],
            "driver": DriverVerdict(True, None),
            "promises": [PromiseCheck(SURVIVES.format(kind), held, "3 lost")],
            **given,
        },
    )


def fault(kind: str) -> Fault:
    return parse_fault(kind, COMMON.duration_s)


def test_a_promise_that_held_is_held() -> None:
    cell = judge_cell(seen("kill:gateway", True), fault("kill:gateway"), Plan1, "r")
    assert (cell.promised, cell.held, cell.why, verdict_of(cell)) == (True, True, None, "held")
    assert (cell.lost_acked, cell.lost_in_break, cell.lost_unacked, cell.refused) == (0, 5, 2, 2)


@pytest.mark.parametrize("form", [NORMAL, IN_USE])
def test_a_cell_is_broken_as_well_by_what_was_expected_and_did_not_come(form: str) -> None:
    checks = [
        PromiseCheck(SURVIVES.format("kill:gateway"), True, "all of it held"),
        PromiseCheck(form.format("kill:gateway"), False, "388 of 1,200"),
    ]
    cell = judge_cell(seen("kill:gateway", True, promises=checks), fault("kill:gateway"), Plan1, "r")
    assert (cell.held, cell.why) == (False, "388 of 1,200")


def test_how_available_the_chat_was_stands_beside_what_was_not_taken() -> None:
    cell = judge_cell(seen("kill:gateway", True, sent=38, not_sent=0), fault("kill:gateway"), Plan1, "r")
    assert "| 2 (5.3%) |" in markdown(Matrix(settings=COMMON, cells=[cell]))


def test_a_promise_that_was_broken_is_shouted_with_its_evidence() -> None:
    cell = judge_cell(seen("kill:gateway", False), fault("kill:gateway"), Plan1, "r")
    assert (cell.held, cell.why, verdict_of(cell)) == (False, "3 lost", "BROKEN")


def test_what_was_not_promised_is_neither() -> None:
    cell = judge_cell(seen("restart:redis", None), fault("restart:redis"), RedisPubSub, "r")
    assert (cell.promised, cell.held, verdict_of(cell)) == (False, None, "not promised")


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"faults": []}, "not tested: the fault did not come"),
        ({"driver": DriverVerdict(False, "it was late")}, "the driver was not valid: it was late"),
    ],
)
def test_a_run_that_could_not_tell_says_so(given: dict[str, Any], why: str) -> None:
    cell = judge_cell(seen("kill:gateway", True, **given), fault("kill:gateway"), Plan1, "r")
    assert (cell.held, cell.why, verdict_of(cell)) == (None, why, "not told")


def test_the_plan_has_every_cell_there_is_and_those_that_need_proxies_last() -> None:
    cells = [planned.settings for planned in plan(COMMON, THE_FOUR, FAULTS)]
    assert len(cells) == 32
    assert [cell.arch for cell in cells if "restart:redis" in cell.faults] == ["redis", "kafka-redis"]
    assert all(cell.duration_s == (40 if "kill" in cell.faults[0] else 20) for cell in cells)
    proxied = [cell.faults[0].startswith(("cut:", "reset:")) for cell in cells]
    assert proxied == sorted(proxied)


def test_each_round_has_another_load() -> None:
    planned = plan(COMMON, ("plan1",), ("kill:broker", "cut:gateway-broker"), rounds=2)
    assert [(each.round, each.settings.seed, each.settings.faults[0]) for each in planned] == [
        *((1, 1, "kill:broker"), (2, 2, "kill:broker")),
        *((1, 1, "cut:gateway-broker"), (2, 2, "cut:gateway-broker")),
    ]


def rounds(*summaries: Summary) -> Matrix:
    cells = [judge_cell(summary, fault("kill:gateway"), Plan1, "r") for summary in summaries]
    return Matrix(
        settings=COMMON,
        cells=[msgspec.structs.replace(cell, round=number) for number, cell in enumerate(cells, start=1)],
    )


def after(normal_ms: float | None, availability: float, **given: Any) -> list[FaultSeen]:
    return [
        FaultSeen(
            fault="kill:gateway",
            began_s=6.7,
            ended_s=None,
            first_delivery_ms=8200.0,
            normal_ms=normal_ms,
            availability=availability,
            **given,
        )
    ]


def test_of_several_rounds_the_table_shows_the_least_and_the_most() -> None:
    """As of six runs of plan2, in one of which half of the messages had no taker."""
    usual = seen("kill:gateway", True, faults=after(9900.0, 0.998), sent=1000)
    unlucky = seen("kill:gateway", False, faults=after(None, 0.53), sent=530, refused={"not_in_the_room": 470})
    matrix = rounds(usual, usual, unlucky, usual)
    row = (
        "| plan1 | kill:gateway | yes | BROKEN 1 of 4, held 3 of 4 | 53.0% to 99.8% | 0 | 5 | 2 "
        "| 2 (0.2%) to 470 (47.0%) | 0 | 0 | - | 8.2 s | 9.9 s to not seen |"
    )
    assert markdown(matrix).splitlines()[2] == row
    assert markdown(matrix).splitlines()[0].count("available") == 1
    assert faults_lines(matrix)[1] == "BROKEN: plan1 under kill:gateway in round 3."


def test_where_too_little_was_said_before_a_fault_the_table_says_that_it_cannot_tell() -> None:
    matrix = rounds(seen("kill:gateway", True, faults=after(None, 1.0, comparable=False)))
    assert markdown(matrix).splitlines()[2].endswith("| cannot tell |")


def test_nothing_to_break_is_told() -> None:
    with pytest.raises(UsageError, match="there is nothing to break for pause:redis with plan1"):
        plan(COMMON, ("plan1",), ("pause:redis",))


def test_the_table_has_a_row_for_each_cell() -> None:
    cell = judge_cell(seen("kill:gateway", True), fault("kill:gateway"), Plan1, "r")
    lines = markdown(Matrix(settings=COMMON, cells=[cell])).splitlines()
    assert lines[0].startswith("| architecture | fault | promised | verdict |")
    assert lines[2] == "| plan1 | kill:gateway | yes | held | 0 | 5 | 2 | 2 | 0 | 0 | - | 0.1 s | undisturbed |"
