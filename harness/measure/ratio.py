"""The ratio of two measured quantities over several rounds, with a confidence interval."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np

RESAMPLES = 10_000
CONFIDENCE = 0.95


class Ratio(msgspec.Struct, frozen=True):
    """A ratio with a bootstrap interval from `low` to `high`, which are None if there was only one round."""

    value: float
    low: float | None
    high: float | None
    rounds: int


def ratio_of(
    numerators: Sequence[float], denominators: Sequence[float], confidence: float = CONFIDENCE
) -> Ratio | None:
    """Return the geometric mean of the rounds' ratios, with a percentile bootstrap interval over the rounds.

    The sequences are paired: both values of a round were measured one after the other. Returns None if there are no
    rounds, or if a value is not above zero. With few rounds, the interval is close to the range of the ratios and
    covers the true ratio less often than 95 %, so the real uncertainty is larger: run more rounds if it matters.
    Source: Efron and Tibshirani, An Introduction to the Bootstrap, chapter 13.
    """
    pairs = list(zip(numerators, denominators, strict=True))
    if not pairs or any(not denominator > 0 or not numerator > 0 for numerator, denominator in pairs):
        return None
    logs = np.log([numerator / denominator for numerator, denominator in pairs])
    value = float(np.exp(logs.mean()))
    if len(pairs) == 1:
        return Ratio(value, None, None, 1)
    # The seed is fixed, so that a report made again from the same records gives the same interval.
    draws = np.random.default_rng(len(pairs)).integers(0, len(pairs), size=(RESAMPLES, len(pairs)))
    means = logs[draws].mean(axis=1)
    low, high = np.quantile(means, [(1 - confidence) / 2, (1 + confidence) / 2])
    return Ratio(value, float(np.exp(low)), float(np.exp(high)), len(pairs))
