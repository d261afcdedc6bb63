"""The order of architectures within blocks."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import pytest

from harness.analysis.order import order_of_block, williams_square


@pytest.mark.parametrize("size", range(2, 12))
def test_each_stands_in_each_position_equally_often(size: int) -> None:
    rows = williams_square(size)
    for column in zip(*rows, strict=True):
        assert sorted(column) == sorted(list(range(size)) * (len(rows) // size))


@pytest.mark.parametrize("size", range(3, 12, 2))
def test_of_an_odd_number_every_two_blocks_are_balanced_for_the_middle_and_for_the_direction(size: int) -> None:
    rows = williams_square(size)
    for one, other in zip(rows[::2], rows[1::2], strict=True):
        assert {one.index(each) + other.index(each) for each in range(size)} == {size - 1}
        assert set(pairwise(other)) == {(b, a) for a, b in pairwise(one)}


@pytest.mark.parametrize(("size", "blocks", "pairs"), [(3, 4, 6), (5, 4, 16), (5, 5, 18)])
def test_few_blocks_of_an_odd_number_have_most_of_the_neighbours(size: int, blocks: int, pairs: int) -> None:
    orders = [order_of_block(range(size), block) for block in range(blocks)]
    assert len({pair for order in orders for pair in pairwise(order)}) == pairs


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
