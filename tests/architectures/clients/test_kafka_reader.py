"""Deliveries made from records and their positions. tests/conformance tests the clients on a real Kafka."""

from __future__ import annotations

from confluent_kafka import Message
from hypothesis import given
from hypothesis import strategies as st

from architectures.clients.kafka_reader import place_of, unread


def record(partition: int, offset: int) -> Message:
    return Message(topic="chat", partition=partition, offset=offset, key=b"room", value=b"text")


def test_a_record_that_comes_again_is_left_out() -> None:
    read_up_to = {0: 5}
    first = unread(read_up_to, [record(0, 5), record(0, 6)])
    again = unread(read_up_to, [record(0, 5), record(0, 6), record(0, 7)])
    assert [place_of(each) for each in (*first, *again)] == [(0, 5), (0, 6), (0, 7)]
    assert read_up_to == {0: 8}


def test_records_of_a_partition_that_is_not_ours_are_left_out() -> None:
    read_up_to = {0: 0}
    assert [place_of(each) for each in unread(read_up_to, [record(1, 3), record(0, 0)])] == [(0, 0)]
    assert read_up_to == {0: 1}


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 30)), max_size=60), st.integers(1, 10))
def test_however_records_come_each_partition_is_read_once_and_forwards(
    places: list[tuple[int, int]], batch: int
) -> None:
    read_up_to = {0: 0, 1: 10}
    kept = [
        place_of(each)
        for start in range(0, len(places), batch)
        for each in unread(read_up_to, [record(*place) for place in places[start : start + batch]])
    ]
    for partition, begin in ((0, 0), (1, 10)):
        offsets = [offset for where, offset in kept if where == partition]
        assert offsets == sorted(set(offsets))
        assert all(offset >= begin for offset in offsets)
        assert read_up_to[partition] == max(offsets, default=begin - 1) + 1
    assert not [where for where, _offset in kept if where == 2]
