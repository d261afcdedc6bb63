"""What a cell of the matrix says: promised against seen."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from architectures.plan1 import Plan1
from architectures.redis_pubsub import RedisPubSub
from harness.config import RunSettings
from harness.errors import UsageError
from harness.fault_matrix import FAULTS, Matrix, judge_cell, markdown, plan, verdict_of
from harness.measure.validity import DriverVerdict
from harness.promises import IN_USE, NORMAL, SURVIVES, PromiseCheck
from harness.summary import FaultSeen, Summary

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


def settings(kind: str) -> RunSettings:
    return msgspec.structs.replace(COMMON, faults=(kind,))


def test_a_promise_that_held_is_held() -> None:
    cell = judge_cell(seen("kill:gateway", True), settings("kill:gateway"), Plan1, "r")
    assert (cell.promised, cell.held, cell.why, verdict_of(cell)) == (True, True, None, "held")
    assert (cell.lost_acked, cell.lost_in_break, cell.lost_unacked, cell.refused) == (0, 5, 2, 2)


@pytest.mark.parametrize("form", [NORMAL, IN_USE])
def test_a_cell_is_broken_as_well_by_what_was_expected_and_did_not_come(form: str) -> None:
    checks = [
        PromiseCheck(SURVIVES.format("kill:gateway"), True, "all of it held"),
        PromiseCheck(form.format("kill:gateway"), False, "388 of 1,200"),
    ]
    cell = judge_cell(seen("kill:gateway", True, promises=checks), settings("kill:gateway"), Plan1, "r")
    assert (cell.held, cell.why) == (False, "388 of 1,200")


def test_how_available_the_chat_was_stands_beside_what_was_not_taken() -> None:
    cell = judge_cell(seen("kill:gateway", True, sent=38, not_sent=0), settings("kill:gateway"), Plan1, "r")
    assert "| 2 (5.3%) |" in markdown(Matrix(settings=COMMON, cells=[cell]))


def test_a_promise_that_was_broken_is_shouted_with_its_evidence() -> None:
    cell = judge_cell(seen("kill:gateway", False), settings("kill:gateway"), Plan1, "r")
    assert (cell.held, cell.why, verdict_of(cell)) == (False, "3 lost", "BROKEN")


def test_what_was_not_promised_is_neither() -> None:
    cell = judge_cell(seen("restart:redis", None), settings("restart:redis"), RedisPubSub, "r")
    assert (cell.promised, cell.held, verdict_of(cell)) == (False, None, "not promised")


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"faults": []}, "not tested: the fault did not come"),
        ({"driver": DriverVerdict(False, "it was late")}, "the driver was not valid: it was late"),
    ],
)
def test_a_run_that_could_not_tell_says_so(given: dict[str, Any], why: str) -> None:
    cell = judge_cell(seen("kill:gateway", True, **given), settings("kill:gateway"), Plan1, "r")
    assert (cell.held, cell.why, verdict_of(cell)) == (None, why, "not told")


def test_the_plan_has_every_cell_there_is_and_those_that_need_proxies_last() -> None:
    cells = plan(COMMON, THE_FOUR, FAULTS)
    assert len(cells) == 32
    assert [cell.arch for cell in cells if "restart:redis" in cell.faults] == ["redis", "kafka-redis"]
    assert all(cell.duration_s == (40 if "kill" in cell.faults[0] else 20) for cell in cells)
    proxied = [cell.faults[0].startswith(("cut:", "reset:")) for cell in cells]
    assert proxied == sorted(proxied)


def test_nothing_to_break_is_told() -> None:
    with pytest.raises(UsageError, match="there is nothing to break for pause:redis with plan1"):
        plan(COMMON, ("plan1",), ("pause:redis",))


def test_the_table_has_a_row_for_each_cell() -> None:
    cell = judge_cell(seen("kill:gateway", True), settings("kill:gateway"), Plan1, "r")
    lines = markdown(Matrix(settings=COMMON, cells=[cell])).splitlines()
    assert lines[0].startswith("| architecture | fault | promised | verdict |")
    assert lines[2] == "| plan1 | kill:gateway | yes | held | 0 | 5 | 2 | 2 | 0 | 0 | - | 0.1 s | undisturbed |"
