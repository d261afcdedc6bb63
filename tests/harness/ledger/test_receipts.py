"""Latencies from sending, where sender and recipient were in different processes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.audience.history import History
from harness.ledger.judge import RoomFates, judge
from harness.ledger.receipts import MOMENTS_MAX, ReceiptLog, Receipts
from harness.ledger.reports import message_id


def sent(*moments_ns: int) -> list[RoomFates]:
    history = History()
    for number, at_ns in enumerate(moments_ns):
        history.say(message_id(number, 0), f"room {number}", at_ns - 10, at_ns)
    return judge(history.report()).fates


def since_sending(receipts: Receipts, fates: list[RoomFates]) -> tuple[list[int], list[int]]:
    latencies, counts = receipts.since_sending_ns(fates)
    return latencies.tolist(), counts.tolist()


def received(*heard_ns: tuple[int, list[int]]) -> Receipts:
    log = ReceiptLog()
    for number, moments_ns in heard_ns:
        log.note(message_id(number, 0), np.array(moments_ns))
    return log.report()


def test_each_delivery_counts_from_the_moment_of_its_own_message() -> None:
    assert since_sending(received((1, [250, 260]), (0, [150])), sent(100, 200)) == ([50, 60, 50], [1, 1, 1])


def test_a_message_that_nobody_is_known_to_have_sent_is_left_out() -> None:
    receipts = received((7, [250]))
    assert since_sending(receipts, sent(100)) == ([], [])
    assert since_sending(receipts, []) == ([], [])
    assert since_sending(Receipts(), sent(100)) == ([], [])


@given(st.lists(st.integers(0, 10**12), min_size=1, max_size=200).map(sorted))
def test_a_few_moments_stand_for_all_deliveries_of_a_message(heard: list[int]) -> None:
    moments_ns, counts = since_sending(received((0, heard)), sent(0))
    assert len(moments_ns) <= MOMENTS_MAX
    assert len(heard) > MOMENTS_MAX or moments_ns == heard
    assert sum(counts) == len(heard)
    assert set(moments_ns) <= set(heard)
    middle = np.repeat(moments_ns, counts)[len(heard) // 2]
    near = len(heard) // 2 + np.array([-1, 1]) * (1 + len(heard) // MOMENTS_MAX)
    low, high = near.clip(0, len(heard) - 1)
    assert heard[low] <= middle <= heard[high]


@pytest.mark.parametrize("count", [40, 333, 5_000])
def test_percentiles_of_a_message_that_many_hear_are_near_and_the_longest_latency_is_exact(count: int) -> None:
    moments_ns, counts = since_sending(received((0, list(range(count)))), sent(0))
    latencies = np.sort(np.repeat(moments_ns, counts))
    assert latencies[-1] == count - 1
    for percent in (50, 90, 99):
        assert latencies[count * percent // 100] == pytest.approx(count * percent / 100, abs=1 + count / 100)


def test_memory_is_bounded_and_the_messages_that_are_kept_stand_for_the_others() -> None:
    log, rows_max, messages = ReceiptLog(rows_max=1_000), 1_000, 40_000
    for number in range(messages):
        log.note(message_id(number % 100, number // 100), np.array([number, number, number]))
        if number % 500 == 0:
            log.pack()
    receipts = log.report()
    identities, counts = (np.frombuffer(each, dtype=np.int64) for each in (receipts.identities, receipts.counts))
    assert rows_max / 3 < len(identities) <= rows_max
    assert counts.sum() == pytest.approx(3 * messages, rel=0.1)
    assert len(np.unique(counts)) == 1, "early and late messages count alike"
    assert np.unique(identities, return_counts=True)[1].tolist() == [3] * (len(identities) // 3), "messages are whole"
    heard = np.frombuffer(receipts.heard_ns, dtype=np.int64)
    assert heard.mean() == pytest.approx(messages / 2, rel=0.1)
