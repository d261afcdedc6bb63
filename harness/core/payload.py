"""The distributions of message sizes around the size that was asked for."""

from __future__ import annotations

import math
from collections.abc import Callable
from random import Random

SIZE_MAX_BYTES = 64 * 1024  # a gateway accepts twice that
BABBLE_BYTES = 128 * 1024  # every message text is a slice of a text of this size
SIGMA = 1.0

Draw = Callable[[Random, int], float]


def _fixed(_random: Random, mean_bytes: int) -> float:
    return mean_bytes


def _exponential(random: Random, mean_bytes: int) -> float:
    return random.expovariate(1 / mean_bytes)


def _lognormal(random: Random, mean_bytes: int) -> float:
    """Draw mostly short and a few long sizes; the mean of a log-normal distribution is exp(mu + sigma^2 / 2)."""
    return random.lognormvariate(math.log(mean_bytes) - SIGMA**2 / 2, SIGMA)


SPREADS: dict[str, Draw] = {"fixed": _fixed, "exponential": _exponential, "lognormal": _lognormal}


def draw_bytes(spread: str, random: Random, mean_bytes: int) -> int:
    """Draw the size of one message, from 1 to SIZE_MAX_BYTES bytes."""
    return max(1, min(round(SPREADS[spread](random, mean_bytes)), SIZE_MAX_BYTES))
