from dataclasses import replace

import msgspec
import pytest

from architectures.interface import Promises
from architectures.plan1 import Plan1
from harness.ledger.judge import Verdict
from harness.ledger.recovery import Recovery
from harness.runs.promises import PromiseCheck, Use, check_expectations, check_promises, one_for_each_fault

ALL = Promises(everyone=True, once=True, ordered=True, durable_ack=True, survives=("kill:gateway",))
CLEAN = Verdict(
    sent=10, acked=10, expected=100, delivered=100, lost=0, lost_acked=0, duplicated=0, reordered=0, neither=0
)


def held(promises: Promises, verdict: Verdict) -> dict[str, bool | None]:
    return {check.promise.partition(":")[0]: check.held for check in check_promises(promises, verdict)}


def test_a_clean_run_keeps_what_it_could_test_and_says_what_it_could_not() -> None:
    assert held(ALL, CLEAN) == {
        "everyone": True,
        "once": True,
        "ordered": True,
        "durable ack": None,
        "survives kill": None,
    }


@pytest.mark.parametrize(
    ("field", "promise"), [("lost_acked", "everyone"), ("duplicated", "once"), ("reordered", "ordered")]
)
def test_one_violation_breaks_one_promise(field: str, promise: str) -> None:
    checks = held(ALL, msgspec.structs.replace(CLEAN, **{field: 1}))
    assert [name for name, kept in checks.items() if kept is False] == [promise]


def test_a_message_lost_before_its_ack_breaks_no_promise() -> None:
    verdict = msgspec.structs.replace(CLEAN, acked=9, delivered=90, lost=10)
    assert False not in held(ALL, verdict).values()


def test_a_run_without_deliveries_proves_nothing() -> None:
    empty = Verdict(
        sent=0, acked=0, expected=0, delivered=0, lost=0, lost_acked=0, duplicated=0, reordered=0, neither=0
    )
    assert set(held(ALL, empty).values()) == {None}


def test_what_is_not_promised_is_not_judged() -> None:
    assert check_promises(Promises(everyone=False, once=False, ordered=False, durable_ack=False), CLEAN) == []


def test_once_says_what_came_of_it_across_returns_and_whether_that_was_promised() -> None:
    returned = msgspec.structs.replace(CLEAN, came_again=50, duplicated_on_return=12)
    (once,) = (check for check in check_promises(ALL, returned) if check.promise.startswith("once"))
    assert (once.held, once.evidence) == (
        True,
        "0 duplicates beside 100 deliveries; across 50 returns 12 more, of which nothing is promised",
    )
    stricter = replace(ALL, once_on_return=True)
    (once,) = (check for check in check_promises(stricter, returned) if check.promise.startswith("once"))
    assert (once.held, once.evidence) == (False, "0 duplicates beside 100 deliveries; across 50 returns 12 more")


BROKE = msgspec.structs.replace(CLEAN, lost=5, lost_acked=5, lost_in_break=3)


def survived(verdict: Verdict, *faults: str) -> dict[str, bool | None]:
    return {check.promise.partition(":")[0]: check.held for check in check_promises(ALL, verdict, faults)}


def test_under_a_fault_it_promised_to_survive_everything_still_counts() -> None:
    told = {check.promise: check.held for check in check_promises(ALL, CLEAN, ["kill:gateway"])}
    assert told["survives kill:gateway: all of the above holds in spite of it"] is True
    told = {check.promise: check.held for check in check_promises(ALL, BROKE, ["kill:gateway"])}
    assert told["survives kill:gateway: all of the above holds in spite of it"] is False


def test_what_was_lost_with_a_broken_connection_alone_breaks_no_promise() -> None:
    in_break = msgspec.structs.replace(CLEAN, lost=5, lost_acked=5, lost_in_break=5)
    assert False not in survived(in_break, "kill:gateway").values()


def test_under_another_fault_nothing_was_promised_and_the_evidence_stays() -> None:
    checks = check_promises(ALL, BROKE, ["restart:redis"])
    assert checks[0].held is None
    assert checks[0].evidence.startswith("not promised under restart:redis: 2 of 100 deliveries lost though acked")


def test_a_durable_ack_is_tested_by_a_restart_of_the_backend() -> None:
    assert survived(CLEAN, "restart:broker")["durable ack"] is True
    assert survived(BROKE, "restart:broker")["durable ack"] is False
    assert survived(BROKE, "pause:gateway")["durable ack"] is None


def test_each_fault_it_promises_to_survive_is_a_promise_of_its_own() -> None:
    for faults in ([], ["kill:gateway"], ["kill:gateway", "pause:broker"]):
        told = {check.promise: check.held for check in check_promises(Plan1.promises, CLEAN, faults)}
        survives = {promise: held for promise, held in told.items() if promise.startswith("survives")}
        assert survives == {
            f"survives {fault}: all of the above holds in spite of it": True if fault in faults else None
            for fault in Plan1.promises.survives
        }


def test_what_an_older_record_tells_of_several_faults_is_told_of_each() -> None:
    together = PromiseCheck("survives kill:broker, slow:members: all of the above holds in spite of it", None, "no")
    assert [check.promise for check in one_for_each_fault(together)] == [
        "survives kill:broker: all of the above holds in spite of it",
        "survives slow:members: all of the above holds in spite of it",
    ]
    other = PromiseCheck("once: no member gets a message twice", True, "0, 1")
    assert one_for_each_fault(other) == [other]


AGAIN, NEVER, UNKNOWN = Recovery(5.0, 9600.0), Recovery(None, None, never_normal=True), Recovery(5.0, None)
USED = Use(scheduled=1200, silenced=60, expected=12_000, neither=890)


def expected(
    recovery: Recovery, use: Use = USED, kind: str = "kill:gateway", *, timed: bool = True
) -> list[bool | None]:
    return [check.held for check in check_expectations(ALL, [(kind, recovery)], use, timed=timed)]


def test_a_chat_that_survives_a_fault_is_in_use_meanwhile_and_normal_afterwards() -> None:
    assert expected(AGAIN) == [True, True]
    assert expected(UNKNOWN) == [True, None]
    checks = check_expectations(ALL, [("kill:gateway", AGAIN)], USED, timed=True)
    assert [check.evidence for check in checks] == [
        "60 of 1,200 messages (5.0%) were not taken; 890 deliveries (6.9%) were owed to nobody",
        "after 9.6 s",
    ]


def test_a_chat_that_is_never_normal_again_has_not_survived_as_expected() -> None:
    assert expected(NEVER) == [True, False]
    assert expected(NEVER, timed=False) == [True, None], "that may have been the driver"


def test_how_available_the_chat_was_since_a_fault_stands_beside_the_promise() -> None:
    twice = [("kill:gateway", Recovery(5.0, 0.0, availability=share)) for share in (0.98, 0.531)]
    in_use, _ = check_expectations(ALL, twice, USED, timed=True)
    assert in_use.evidence.endswith("; available since: 53.1% were acked and heard by all whom they were owed to")


def test_a_fault_at_the_very_beginning_cannot_be_compared_with_anything() -> None:
    (_, again) = check_expectations(ALL, [("kill:gateway", Recovery(5.0, None, comparable=False))], USED, timed=True)
    assert (again.held, again.evidence) == (None, "this run cannot tell: too little was said before the fault")


def test_a_third_of_the_schedule_silenced_is_not_in_use() -> None:
    assert expected(AGAIN, Use(scheduled=1200, silenced=388, expected=8000, neither=890)) == [False, True]
    assert expected(AGAIN, Use(scheduled=1200, silenced=0, expected=890, neither=890)) == [False, True]


def test_nothing_is_expected_under_a_fault_that_it_does_not_promise_to_survive() -> None:
    assert expected(NEVER, kind="restart:redis") == []
