"""Latencies from sending, where sender and recipient were in different processes."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from harness.audience.history import History
from harness.ledger.judge import RoomFates, judge
from harness.ledger.receipts import RECEIPTS_MAX, Receipt, Receipts
from harness.ledger.reports import message_id


def sent(*moments_ns: int) -> list[RoomFates]:
    history = History()
    for number, at_ns in enumerate(moments_ns):
        history.say(message_id(number, 0), f"room {number}", at_ns - 10, at_ns)
    return judge(history.report()).fates


def since_sending(receipts: Receipts, fates: list[RoomFates]) -> tuple[list[int], list[int]]:
    latencies, counts = receipts.since_sending_ns(fates)
    return latencies.tolist(), counts.tolist()


def test_each_delivery_counts_from_the_moment_of_its_own_message() -> None:
    receipts = Receipts.of(
        [Receipt.of(message_id(number, 0), np.array(heard)) for number, heard in ((1, [250, 260]), (0, [150]))]
    )
    assert since_sending(receipts, sent(100, 200)) == ([50, 60, 50], [1, 1, 1])


def test_a_message_that_nobody_is_known_to_have_sent_is_left_out() -> None:
    receipts = Receipts.of([Receipt.of(message_id(7, 0), np.array([250]))])
    assert since_sending(receipts, sent(100)) == ([], [])
    assert since_sending(receipts, []) == ([], [])
    assert since_sending(Receipts(), sent(100)) == ([], [])


@given(st.lists(st.integers(0, 10**12), min_size=1, max_size=200).map(sorted))
def test_a_few_moments_stand_for_all_deliveries_of_a_message(heard: list[int]) -> None:
    receipt = Receipt.of(1, np.array(heard))
    assert len(receipt.heard_ns) == min(RECEIPTS_MAX, len(heard))
    assert receipt.counts.sum() == len(heard)
    assert set(receipt.heard_ns.tolist()) <= set(heard)
    middle = np.repeat(receipt.heard_ns, receipt.counts)[len(heard) // 2]
    near = len(heard) // 2 + np.array([-1, 1]) * (1 + len(heard) // RECEIPTS_MAX)
    low, high = near.clip(0, len(heard) - 1)
    assert heard[low] <= middle <= heard[high]
