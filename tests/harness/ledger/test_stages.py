"""Where the time of a message went, from what the driver and the gateways noted."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.ledger.message_times import COLUMNS, NEVER, MessageTimes
from harness.ledger.passages import COMMON, Passage
from harness.ledger.stages import ClockErrors, Way, stages_of, typical_of_all_ms, ways_of

START_NS = 1_000
STAGES = ("sending", "to_gateway", "backend", "waiting", "fan_out", "to_member")


def messages(*rows: tuple[int, int, int, int]) -> MessageTimes:
    """The identity, and when each was due, sent and last heard, since the beginning of the phase."""
    table = np.zeros((len(COLUMNS), len(rows)), dtype=np.int64)
    table[[COLUMNS.index(name) for name in ("identity", "intended_ns", "sent_ns", "last_heard_ns")]] = np.transpose(
        rows
    )
    return MessageTimes(["r"], table.tobytes())


def at_sender(received_ns: int, accepted_ns: int | None = None) -> Passage:
    return Passage(1, received_ns=START_NS + received_ns, accepted_ns=accepted_ns and START_NS + accepted_ns)


def written(read_ns: int, writing_ns: int, written_ns: int) -> Passage:
    return Passage(1, read_ns=START_NS + read_ns, writing_ns=START_NS + writing_ns, written_ns=START_NS + written_ns)


def test_the_stages_are_those_of_the_gateway_that_wrote_last_and_add_up() -> None:
    early, late = written(30, 31, 35), written(40, 45, 60)
    early.received_ns, early.accepted_ns = START_NS + 15, START_NS + 25
    (way,) = ways_of(messages((1, 0, 5, 70)), START_NS, [[early], [late]])
    assert (way.gateway, way.room, way.intended_ns) == (1, "r", 0)
    assert way.stages_ns == {
        "sending": 5,
        "to_gateway": 10,
        "backend": 25,
        "waiting": 5,
        "fan_out": 15,
        "to_member": 10,
    }
    assert sum(way.stages_ns.values()) == way.total_ns == 70
    assert way.accepting_ns == 10


def test_what_an_architecture_marks_splits_the_backend() -> None:
    first, last = at_sender(10), written(40, 41, 42)
    first.marks = {"relayed": START_NS + 30, "too late": START_NS + 50}
    last.marks = {"relayed": START_NS + 25, "stored": START_NS + 20}
    (way,) = ways_of(messages((1, 0, 5, 50)), START_NS, [[first], [last]])
    assert list(way.stages_ns.items())[2:5] == [("backend", 10), ("stored", 5), ("relayed", 15)]
    assert sum(way.stages_ns.values()) == way.total_ns


def test_a_mark_may_lie_as_far_outside_as_the_clocks_of_two_gateways_may_be_wrong() -> None:
    first, last = at_sender(10), written(40, 41, 42)
    first.marks = {"stored": START_NS + 5}
    last.marks = {"relayed": START_NS + 50, "too late": START_NS + 61}
    rows, errors = messages((1, 0, 5, 50)), ClockErrors(between_gateways_ns=20)
    (way,) = ways_of(rows, START_NS, [[first], [last]], errors)
    assert list(way.stages_ns.items())[2:5] == [("backend", -5), ("stored", 45), ("relayed", -10)]
    assert sum(way.stages_ns.values()) == way.total_ns
    (way,) = ways_of(rows, START_NS, [[first], [last]])
    assert list(way.stages_ns) == list(STAGES), "by one clock they were not between"


@pytest.mark.parametrize(
    "passages",
    [[], [[at_sender(10)]], [[written(20, 21, 22)]], [[at_sender(10)], [Passage(1, read_ns=START_NS + 20)]]],
)
def test_a_message_whose_way_is_not_known_is_left_out(passages: list[list[Passage]]) -> None:
    assert ways_of(messages((1, 0, 5, 50)), START_NS, passages) == []


def test_the_gateway_that_received_it_first_is_its_senders() -> None:
    again, first = at_sender(30), written(20, 21, 22)
    first.received_ns = START_NS + 10
    (way,) = ways_of(messages((1, 0, 5, 50)), START_NS, [[again], [first]])
    assert way.stages_ns["backend"] == 10


def test_a_way_that_goes_back_in_time_is_no_way() -> None:
    heard_early = written(20, 21, 5_000_000)
    heard_early.received_ns = START_NS + 10
    assert ways_of(messages((1, 0, 5, 4_999_000)), START_NS, [[heard_early]]) != []
    assert ways_of(messages((1, 0, 5, 3_000_000)), START_NS, [[heard_early]]) == []


def test_a_message_that_nobody_heard_is_left_out() -> None:
    assert ways_of(messages((1, 0, 5, NEVER)), START_NS, [[at_sender(10)], [written(20, 21, 22)]]) == []


def way(total_ns: int, stages_ns: dict[str, int]) -> Way:
    return Way(1, "r", 0, 0, total_ns, stages_ns, None)


@given(st.lists(st.lists(st.integers(0, 10**9), min_size=3, max_size=3), min_size=1, max_size=50))
def test_the_typical_stages_add_up_to_a_time_between_the_least_and_the_most(parts: list[list[int]]) -> None:
    found = [way(sum(each), dict(zip("abc", each, strict=True))) for each in parts]
    stages = stages_of(found)
    assert stages is not None
    totals_ms = [each.total_ns / 1e6 for each in found]
    assert min(totals_ms) - 0.001 <= sum(stages.typical_ms.values()) <= max(totals_ms) + 0.001
    assert list(stages.typical_ms) == ["a", "b", "c"]


def test_the_slowest_hundredth_is_told_from_a_thousand_messages_on() -> None:
    found = [way(n * 1_000_000, {"a": n * 1_000_000}) for n in range(1000)]
    few, enough = stages_of(found[:900]), stages_of(found)
    assert few is not None
    assert enough is not None
    assert few.slow_ms is few.p99_ms is None
    assert enough.slow_ms is not None
    assert enough.slow_ms["a"] == pytest.approx(994.5)
    assert enough.typical_ms["a"] == pytest.approx(499.5)
    assert stages_of([]) is None
    assert msgspec.json.decode(msgspec.json.encode(enough), type=type(enough)) == enough


def test_a_stage_from_host_to_host_has_the_bounds_of_both_clocks() -> None:
    errors = ClockErrors.of(workers_ns=[1_000_000, 2_000_000], gateways_ns=[500_000, 4_000_000, 3_000_000])
    found = [Way(1, "r", 0, 0, 50, dict.fromkeys((*STAGES, "relayed"), 10), None)]
    stages = stages_of(found, errors=errors)
    assert stages is not None
    assert stages.error_ms == {"to_gateway": 6.0, "backend": 7.0, "to_member": 6.0, "relayed": 7.0}
    assert ClockErrors.of([2_000_000], [4_000_000]).of_stage_ms("backend") == 0, "a single gateway has one clock"


def test_stages_by_one_clock_have_no_error() -> None:
    stages = stages_of([Way(1, "r", 0, 0, 50, dict.fromkeys(STAGES, 10), None)], errors=ClockErrors.of([], [0, 0]))
    assert stages is not None
    assert stages.error_ms == {}


def test_a_way_goes_back_as_far_as_the_clocks_may_be_wrong() -> None:
    early = written(20, 21, 5_000_000)
    early.received_ns = START_NS + 10
    rows, errors = messages((1, 0, 5, 3_000_000)), ClockErrors.of([1_500_000], [0])
    assert ways_of(rows, START_NS, [[early]]) == []
    (way,) = ways_of(rows, START_NS, [[early]], errors)
    assert way.stages_ns["to_member"] == -2_000_000
    assert sum(way.stages_ns.values()) == way.total_ns


def test_the_typical_time_of_all_messages_is_that_of_their_middle_fifth() -> None:
    rows = messages(*((number, 0, 0, number * 1_000_000) for number in range(1, 11)), (11, 0, 0, NEVER))
    assert typical_of_all_ms(rows) == 5.5
    assert typical_of_all_ms(messages((1, 0, 0, NEVER))) is None


def test_what_only_slow_messages_have_is_among_the_stages_of_all_figures_in_its_place() -> None:
    def way(number: int, total_ns: int, **marked_ns: int) -> Way:
        others = dict.fromkeys(COMMON, 0) | {"backend": total_ns - sum(marked_ns.values())}
        stages_ns = {name: others[name] for name in COMMON[:3]} | marked_ns | dict.fromkeys(COMMON[3:], 0)
        return Way(number, "r", 0, 0, total_ns, stages_ns, None)

    found = [way(number, 1_000_000 + number) for number in range(2_000)]
    found += [way(number, 9_000_000, acked=2_000_000) for number in range(2_000, 2_010)]
    found += [way(number, 9_500_000, retried=3_000_000) for number in range(2_010, 2_020)]
    stages = stages_of(found)
    assert stages is not None
    order = ["sending", "to_gateway", "backend", "acked", "retried", "waiting", "fan_out", "to_member"]
    for figures in (stages.typical_ms, stages.slow_ms, stages.p50_ms, stages.p99_ms):
        assert figures is not None
        assert list(figures) == order
    assert stages.slow_ms is not None
    assert sum(stages.slow_ms.values()) == pytest.approx(9.25, rel=0.01)
