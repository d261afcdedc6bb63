"""How many times one thing is another, with an interval that says how sure that is."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np

RESAMPLES = 10_000
CONFIDENCE = 0.95


class Ratio(msgspec.Struct, frozen=True):
    """`value` times, and a bootstrap interval from `low` to `high`; both are None where there was one round."""

    value: float
    low: float | None
    high: float | None
    rounds: int


def ratio_of(
    numerators: Sequence[float], denominators: Sequence[float], confidence: float = CONFIDENCE
) -> Ratio | None:
    """The geometric mean of the rounds' ratios, with a percentile bootstrap interval over the rounds.

    The sequences are paired: both values of a round were measured one after the other. None where there are no
    rounds, or a denominator is not above zero. Source: Efron and Tibshirani, An Introduction to the Bootstrap, ch. 13.
    With few rounds the interval is nearly their range and covers the truth less often than 95 %: read it as the least
    doubt there is, and run more rounds where it matters.
    """
    pairs = list(zip(numerators, denominators, strict=True))
    if not pairs or any(not denominator > 0 or not numerator > 0 for numerator, denominator in pairs):
        return None
    logs = np.log([numerator / denominator for numerator, denominator in pairs])
    value = float(np.exp(logs.mean()))
    if len(pairs) == 1:
        return Ratio(value, None, None, 1)
    # The same draws every time: a report made again from the same records says the same.
    draws = np.random.default_rng(len(pairs)).integers(0, len(pairs), size=(RESAMPLES, len(pairs)))
    means = logs[draws].mean(axis=1)
    low, high = np.quantile(means, [(1 - confidence) / 2, (1 + confidence) / 2])
    return Ratio(value, float(np.exp(low)), float(np.exp(high)), len(pairs))
