"""The order of architectures within blocks."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import pytest

from harness.analysis.order import order_of_block, williams_square


@pytest.mark.parametrize("size", range(2, 12))
def test_each_stands_in_each_position_equally_often_after_as_many_blocks_as_there_are(size: int) -> None:
    rows = williams_square(size)[:size]
    for column in zip(*rows, strict=True):
        assert sorted(column) == list(range(size))


@pytest.mark.parametrize("size", range(2, 12))
def test_each_follows_each_other_equally_often(size: int) -> None:
    follows = Counter((a, b) for row in williams_square(size) for a, b in pairwise(row))
    assert set(follows) == {(a, b) for a in range(size) for b in range(size) if a != b}
    assert len(set(follows.values())) == 1


def test_the_orders_begin_again_after_the_last_one() -> None:
    names = ["plan1", "plan2", "redis"]
    orders = [order_of_block(names, block) for block in range(12)]
    assert orders[:6] == orders[6:]
    assert all(sorted(order) == sorted(names) for order in orders)
