"""Blocks of made-up runs, whose true ratios are known."""

from __future__ import annotations

import numpy as np

from harness.analysis.contrasts import Contrast, Figures, Matrix, contrasts
from harness.analysis.stopping import BLOCKS_MIN, is_precise

FIVE = ("a", "b", "c", "d", "e")
BLOCKS_MAX = 12  # what the default budget has time for, and a few more
PRECISION = 0.1


def noise(
    random: np.random.Generator, spread: float, blocks: int = BLOCKS_MAX, architectures: int = len(FIVE)
) -> Matrix:
    """Return logarithms for so many architectures: a ratio of two of them has this standard deviation."""
    block = random.normal(0, 0.3, (blocks, 1))
    values: Matrix = block + random.normal(0, spread / np.sqrt(2), (blocks, architectures))
    return values


def stopped(*figures: Figures) -> list[list[Contrast]]:
    """Return the contrasts of each figure after as many blocks as the rule for the first one asks for."""
    for blocks in range(BLOCKS_MIN, BLOCKS_MAX + 1):
        found = [contrasts(first_blocks(each, blocks)) for each in figures]
        if is_precise(found[0], PRECISION):
            break
    return found


def first_blocks(figures: Figures, blocks: int) -> Figures:
    slowness = None if figures.slowness is None else figures.slowness[:blocks]
    return Figures(figures.name, figures.architectures, figures.values[:blocks], slowness)
