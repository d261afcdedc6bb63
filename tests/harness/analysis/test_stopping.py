"""When a comparison has measured enough."""

from __future__ import annotations

import pytest

from harness.analysis.contrasts import Contrast
from harness.analysis.stopping import blocks_needed, is_precise


def contrast(standard_error: float, blocks: int, lost_freedom: float = 0.0) -> Contrast:
    return Contrast("cpu", "plan1", "redis", 0.7, standard_error, blocks, lost_freedom)


def test_three_blocks_are_never_enough_however_alike_they_are() -> None:
    assert not is_precise([contrast(0.0001, 3)], 0.1)
    assert is_precise([contrast(0.0001, 4)], 0.1)


def test_the_least_precise_ratio_decides() -> None:
    assert not is_precise([contrast(0.001, 6), contrast(0.1, 6)], 0.1)


def test_nothing_measured_is_not_precise() -> None:
    assert not is_precise([], 0.1)


@pytest.mark.parametrize("lost", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("spread", [0.01, 0.05, 0.1])
def test_as_many_blocks_as_are_said_to_be_needed_are_enough_where_the_spread_stays(spread: float, lost: float) -> None:
    needed = blocks_needed([contrast(spread / 2, 4, lost)], 0.1, at_most=100)
    assert is_precise([contrast(spread / needed**0.5, needed, lost)], 0.1)
    assert needed == 4 or not is_precise([contrast(spread / (needed - 1) ** 0.5, needed - 1, lost)], 0.1)


def test_no_more_blocks_are_needed_than_there_may_be() -> None:
    assert blocks_needed([contrast(5.0, 4)], 0.1, at_most=9) == 9
    assert blocks_needed([], 0.1, at_most=9) == 4
