"""What one may say about two architectures: one is better, they are equal within 10 %, or it is undecided."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from harness.analysis.contrasts import CONFIDENCE, Contrast
from harness.analysis.student import quantiles

# A difference too small to choose by: a ratio between these two counts as equal.
EQUAL_LOW, EQUAL_HIGH = 0.9, 1 / 0.9
BLOCKS_MAX = 1_000  # a question that more blocks than this would decide is not worth asking


class Answer(StrEnum):
    BETTER = "better"
    EQUAL = "equal"
    UNDECIDED = "undecided"


@dataclass(frozen=True, slots=True)
class Verdict:
    contrast: Contrast
    answer: Answer
    holm_p: float  # the p-value, adjusted for all contrasts that were judged together; at most 1
    allowed_for: float = 1.0  # by which the p-value was multiplied for it, before it was cut off at 1

    @property
    def better(self) -> str | None:
        """The architecture with the lower figure, where one is better."""
        if self.answer is not Answer.BETTER:
            return None
        return self.contrast.first if self.contrast.log_ratio < 0 else self.contrast.second

    @property
    def more_blocks(self) -> int | None:
        """How many more blocks would probably decide, if the ratio and the spread of the blocks stay as they are.

        0 where it is decided; None where BLOCKS_MAX would not do, because the ratio is too close to where equal ends.
        """
        if self.answer is not Answer.UNDECIDED:
            return 0
        contrast = self.contrast
        blocks = np.arange(contrast.blocks + 1, contrast.blocks + BLOCKS_MAX)
        error = contrast.standard_error * np.sqrt(contrast.blocks / blocks)
        distance = abs(contrast.log_ratio)
        degrees = np.array([contrast.freedom(int(each)) for each in blocks])
        equal = distance + quantiles((1 + CONFIDENCE) / 2, degrees) * error < math.log(EQUAL_HIGH)
        better = distance > quantiles(1 - (1 - CONFIDENCE) / self.allowed_for / 2, degrees) * error
        decides = np.flatnonzero(equal | better)
        return int(decides[0]) + 1 if len(decides) else None


def judge(contrasts: Sequence[Contrast]) -> list[Verdict]:
    """Return the verdict of each contrast. Those that are shown together must be judged together.

    *Equal within 10 %*: the 95 % interval lies inside 0.9 to 1.11, also where it leaves out 1. Otherwise *better*: the
    ratio differs from 1, with a chance of at most 5 % that this is wrong for any of the contrasts (Holm, A simple
    sequentially rejective multiple test procedure, Scandinavian Journal of Statistics 6, 1979). Otherwise *undecided*.
    """
    if not contrasts:
        return []
    p_values = np.array([each.p_value for each in contrasts])
    allowed_for = _allowed_for(p_values)
    adjusted = np.minimum(p_values * allowed_for, 1.0)
    return [
        Verdict(contrast, _answer(contrast, holm_p), float(holm_p), float(factor))
        for contrast, holm_p, factor in zip(contrasts, adjusted, allowed_for, strict=True)
    ]


def _answer(contrast: Contrast, holm_p: float) -> Answer:
    low, high = contrast.interval()
    if low > EQUAL_LOW and high < EQUAL_HIGH:
        return Answer.EQUAL
    return Answer.BETTER if holm_p < 1 - CONFIDENCE else Answer.UNDECIDED


def _allowed_for(p_values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return by what Holm's method multiplies each p-value, before the product is cut off at 1.

    The least of m is multiplied by m, the next by m - 1, and none may become less than one before it.
    """
    order = np.argsort(p_values)
    least = np.maximum(p_values[order], np.finfo(float).tiny)  # 0 where all blocks are the same
    factors = np.empty_like(p_values)
    factors[order] = np.maximum.accumulate(np.arange(len(order), 0, -1) * least) / least
    return factors
