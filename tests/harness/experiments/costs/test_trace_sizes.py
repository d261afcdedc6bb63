"""The sizes of a chat in a log of its traffic."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some

from harness.experiments.costs.trace_file import TraceLog
from harness.experiments.costs.trace_sizes import Trace, equal_rooms, summed_up

NONE = float("nan")
Message = tuple[float, int, float, float]  # time, room, bytes, listeners


def log(messages: list[Message], known_members: list[int]) -> TraceLog:
    times, rooms, sizes, listeners = (np.array(each) for each in zip(*sorted(messages), strict=True))
    return TraceLog(
        time_s=times.astype(float),
        room=rooms.astype(np.int64),
        payload_bytes=sizes.astype(float),
        listeners=listeners.astype(float),
        known_members=np.array(known_members),
        bad=[],
    )


def trace(messages: list[Message], known_members: list[int]) -> Trace:
    return summed_up(log(messages, known_members))


def test_the_busiest_minute_need_not_begin_with_a_minute_of_the_clock() -> None:
    quiet = [(float(at), 0, 100.0, NONE) for at in range(0, 3600, 10)]
    busy = [(1830 + at / 10, 0, 100.0, NONE) for at in range(600)]
    found = trace(quiet + busy, [5])
    assert found.busiest_rate_per_s == pytest.approx((600 + 6) / 60)
    assert found.busiest_from.startswith("1970-01-01T00:30:30")
    assert found.rate_per_s == pytest.approx((360 + 600) / 3590)


def test_a_log_shorter_than_a_minute_is_all_of_its_busiest_minute() -> None:
    found = trace([(at / 10, 0, 100.0, NONE) for at in range(101)], [5])
    assert (found.busiest_s, found.lasts_s) == (10.0, 10.0)
    assert found.busiest_rate_per_s == pytest.approx(10.1)
    assert trace([(5.0, 0, 100.0, NONE)], [5]).busiest_rate_per_s == 1.0


def test_without_listeners_members_are_those_that_the_log_names_and_that_is_said() -> None:
    found = trace([(1.0, 0, NONE, NONE), (2.0, 1, NONE, NONE)], [3, 5])
    assert found.members_at_least
    assert found.members_per_room == 4.0
    assert found.payload_bytes is None


def test_listeners_take_precedence_where_they_are_known() -> None:
    found = trace([(1.0, 0, 50.0, 100.0), (2.0, 0, 150.0, 300.0), (3.0, 1, NONE, 50.0)], [1, 1])
    assert not found.members_at_least
    assert found.members_per_room == 125.0
    assert found.listeners_per_message == 150.0
    assert found.payload_bytes == 100.0
    assert trace([(1.0, 0, NONE, 100.0), (3.0, 1, NONE, NONE)], [1, 7]).members_at_least


def test_the_hottest_room_has_the_most_deliveries() -> None:
    large = [(at / 10, 0, NONE, 1000.0) for at in range(100)]
    small = [(at / 20, 1, NONE, 2.0) for at in range(300)]
    hot = trace(large + small, [1, 1]).hottest_room
    assert hot.members == 1000.0
    assert hot.messages_share == 0.25
    assert hot.deliveries_share == pytest.approx(100_000 / 100_600)


def test_of_many_rooms_the_99th_percentile_is_one_of_them() -> None:
    found = trace([(float(at), at, NONE, float(at + 1)) for at in range(100)], [1] * 100)
    assert found.members_per_room_p99 == 99.0


@given(
    rooms=some.lists(some.tuples(some.integers(2, 5_000), some.integers(1, 30)), min_size=1, max_size=40),
)
def test_equal_rooms_have_as_many_members_and_deliveries_as_those_of_the_log(rooms: list[tuple[int, int]]) -> None:
    messages = [
        (at * 59 / talk, room, 100.0, float(members))
        for room, (members, talk) in enumerate(rooms)
        for at in range(talk)
    ]
    found = trace(messages, [1] * len(rooms))
    equal = equal_rooms(found)
    deliveries = sum(members * talk for members, talk in rooms)
    assert equal.members_per_room * len(messages) == pytest.approx(deliveries, rel=1e-3)
    members = sum(members for members, _ in rooms)
    assert equal.rooms * equal.members_per_room == pytest.approx(members, abs=equal.members_per_room / 2 + 1)


def test_equal_rooms_of_a_log_of_equal_rooms_are_those_of_the_log() -> None:
    equal = equal_rooms(trace([(float(room), room, NONE, 20.0) for room in range(50)], [1] * 50))
    assert (equal.rooms, equal.members_per_room) == (50, 20.0)


def test_a_room_in_which_only_one_was_heard_has_two_members() -> None:
    assert equal_rooms(trace([(1.0, 0, NONE, NONE)], [1])).members_per_room == 2.0
