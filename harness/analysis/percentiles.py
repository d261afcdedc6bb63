"""Which percentiles a number of messages supports, and contrasts of percentiles of merged blocks."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import combinations

import numpy as np

from harness.analysis.contrasts import Contrast, lent_freedom, variance_of_difference

BEYOND_MIN = 10  # independent messages that must be slower than a percentile for it to be shown


def messages_needed(percentile: float) -> int:
    """Return how many independent messages support a percentile: 20 for p50, 1,000 for p99, 10,000 for p99.9."""
    return math.ceil(round(BEYOND_MIN / (1 - percentile / 100), 6))


def why_not_shown(percentile: float, messages: int) -> str | None:
    """Return what is shown in the place of a percentile that so many independent messages do not support, else None."""
    needed = messages_needed(percentile)
    return None if messages >= needed else f"n/a: {messages:,} messages, {needed:,} needed"


def contrasts_of_merged(
    figure: str,
    architectures: Sequence[str],
    blocks: int,
    percentile_of: Callable[[str, Sequence[int]], float],
) -> list[Contrast]:
    """Return the contrast of every pair of architectures in a percentile of all blocks merged.

    `percentile_of` returns an architecture's percentile over the given blocks, which count from 0. Percentiles of
    blocks are never averaged; the standard error comes from leaving out one block at a time (jackknife; B. Efron and
    C. Stein, The jackknife estimate of variance, Annals of Statistics 9, 1981). None where there are fewer than two.
    """
    if blocks < 2:
        return []
    every = range(blocks)
    whole = {name: math.log(percentile_of(name, every)) for name in architectures}
    without = np.log(
        [
            [percentile_of(name, [each for each in every if each != left_out]) for name in architectures]
            for left_out in every
        ]
    )

    def standard_error(i: int, j: int) -> float:
        return math.sqrt((blocks - 1) ** 2 / blocks * variance_of_difference(without, i, j))

    return [
        Contrast(
            figure,
            first,
            second,
            whole[first] - whole[second],
            standard_error(i, j),
            blocks,
            lent_freedom=lent_freedom(len(architectures)),
        )
        for (i, first), (j, second) in combinations(enumerate(architectures), 2)
    ]
