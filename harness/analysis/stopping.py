"""When a comparison knows enough: every ratio is known to the precision that was asked for."""

from __future__ import annotations

import math
from collections.abc import Sequence

from harness.analysis.contrasts import CONFIDENCE, Contrast, t_quantile

# With fewer blocks the spread itself is hardly known: one block that happens to be like the others would end it.
BLOCKS_MIN = 4


def is_precise(contrasts: Sequence[Contrast], precision: float) -> bool:
    """Whether the 95 % interval of every ratio reaches less than `precision` (0.1 is 10 %) from its middle."""
    return bool(contrasts) and all(each.blocks >= BLOCKS_MIN and each.half_width < precision for each in contrasts)


def blocks_needed(contrasts: Sequence[Contrast], precision: float, at_most: int) -> int:
    """Return how many blocks in all would probably be precise, if their spread stays as it is; at most `at_most`."""
    return max((_needed(each, precision, at_most) for each in contrasts), default=min(BLOCKS_MIN, at_most))


def _needed(contrast: Contrast, precision: float, at_most: int) -> int:
    spread = contrast.standard_error * math.sqrt(contrast.blocks)
    tried = range(max(BLOCKS_MIN, contrast.blocks), at_most)

    def half_width(blocks: int) -> float:
        t = t_quantile(CONFIDENCE, contrast.freedom(blocks))
        return math.expm1(t * spread / math.sqrt(blocks))

    return next((n for n in tried if half_width(n) < precision), at_most)
