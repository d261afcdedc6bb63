"""The ratio of two measured quantities over several rounds, with a confidence interval."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np

from harness.analysis.contrasts import CONFIDENCE, Figures, contrasts


class Ratio(msgspec.Struct, frozen=True):
    """A ratio with a confidence interval from `low` to `high`, which are None if there was only one round."""

    value: float
    low: float | None
    high: float | None
    rounds: int


def ratio_of(
    numerators: Sequence[float], denominators: Sequence[float], confidence: float = CONFIDENCE
) -> Ratio | None:
    """Return the geometric mean of the rounds' ratios, with a t-interval of their logarithms over the rounds.

    The sequences are paired: both values of a round were measured one after the other. Returns None if there are no
    rounds, or if a value is not above zero. The interval is wide where there are few rounds: with two or three of them,
    nobody can know how much rounds differ.
    """
    values = np.array([numerators, denominators], dtype=float).T
    if not len(values) or not (values > 0).all():
        return None
    if len(values) == 1:
        return Ratio(float(values[0, 0] / values[0, 1]), None, None, 1)
    (contrast,) = contrasts(Figures("", ("numerator", "denominator"), values))
    low, high = contrast.interval(confidence)
    return Ratio(contrast.ratio, low, high, len(values))
