"""What a comparison says of itself between two blocks, and when it ends."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.analysis.contrasts import Contrast
from harness.experiments.outlook import Goal, Outlook

FIXED, MARGINAL = "fixed cost: CPU while nobody writes", "marginal cost: CPU per delivery"


def outlook(blocks: int, *spreads: float, rounds: int | None = None, affordable: int = 50) -> Outlook:
    figures = (FIXED, MARGINAL)
    contrasts = [
        Contrast(figure, "plan1", "redis", 0.0, spread / blocks**0.5, blocks)
        for figure, spread in zip(figures, spreads, strict=False)
    ]
    return Outlook(Goal(rounds, 0.1), blocks, contrasts, affordable)


def test_after_one_block_there_is_no_interval_and_four_blocks_are_the_least() -> None:
    first = outlook(1)
    assert not first.is_enough
    assert (first.expected, first.is_least) == (4, True)
    assert first.known() == "one block, which gives no intervals yet"


def test_the_interval_of_each_cost_is_said_and_the_widest_pair_is_named() -> None:
    after = outlook(5, 0.05, 0.1)
    assert after.known() == (
        "CPU ratios known to 13 % after 5 blocks (fixed cost 6 %, marginal cost 13 %; plan1 over redis is 0.88 to 1.13)"
    )


def test_the_intervals_narrow_and_the_number_of_blocks_expected_settles() -> None:
    widths = [max(each.half_width for each in outlook(blocks, 0.1, 0.1).contrasts) for blocks in range(2, 9)]
    assert widths == sorted(widths, reverse=True)
    assert {outlook(blocks, 0.1).expected for blocks in range(2, 7)} == {7}
    assert outlook(7, 0.1).is_enough


@pytest.mark.parametrize(("blocks", "affordable", "ends"), [(3, 3, False), (4, 4, True), (5, 5, True), (5, 6, False)])
def test_the_budget_ends_it_after_four_blocks_or_more(blocks: int, affordable: int, ends: bool) -> None:
    assert outlook(blocks, 1.0, affordable=affordable).is_enough is ends


def test_no_more_blocks_are_expected_than_the_budget_allows() -> None:
    assert outlook(5, 1.0, affordable=9).expected == 9
    assert outlook(2, 1.0, affordable=2).expected == 4


def test_at_least_one_more_block_is_expected_than_there_are() -> None:
    of_five = outlook(5, 0.05).contrasts  # of eight blocks, in three of which a run is missing
    eight = Outlook(Goal(None, 0.1), 8, of_five, affordable=50)
    assert replace(eight, contrasts=[]).expected == 9
    assert eight.expected == 9


def test_a_given_number_of_rounds_is_exactly_so_many() -> None:
    assert outlook(2, 0.001, rounds=3).expected == 3
    assert not outlook(2, 0.001, rounds=3).is_enough
    assert outlook(3, 5.0, rounds=3).is_enough


def test_what_was_not_measured_is_said_so() -> None:
    assert outlook(3).known() == "3 blocks, which do not give all CPU ratios"
    assert not outlook(4, affordable=9).is_enough
