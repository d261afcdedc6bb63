"""Up to which load an objective holds, from runs that held it and runs that broke it.

A load is a rate of messages, or a number of members. The chance that a run holds falls with it, as a logistic curve
over its logarithm:

    P(holds | load) = (1 - BAD_LUCK) / (1 + (load / middle) ^ (ln 19 / width))

BAD_LUCK is the share of runs that break however low the load is, because something else happened on the machine. At the
load `half` one run in two holds, and at `sure` 95 in a hundred do. The two parameters are given by their posterior on a
grid, from a flat prior over the logarithm of each. Unlike the maximum of the likelihood, it is there after two runs,
and where every run below some load held and every one above it broke.

The next load is the one whose outcome is expected to say most about the two parameters.
Sources: F. Wichmann and N. Hill, The psychometric function, Perception & Psychophysics 63 (2001), for the curve;
N. Houlsby et al., Bayesian active learning for classification and preference learning (2011), for the choice.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

CONFIDENCE = 0.95
HALF, SURE = 0.5, 0.95  # the shares of runs that hold at these loads
BAD_LUCK = 0.02
# The search ends at the earliest after so many runs: fewer may all have been lucky.
RUNS_MIN = 6
RUNG = 2**0.25  # the loads that are tried are start x RUNG^n, for whole numbers n
CLIMB_MAX = 4.0  # how many times the highest load that held may be tried next
LOAD_MIN, LOAD_MAX = 0.5, 2e6  # beyond what is ever tried
WIDTH_MIN, WIDTH_MAX = 0.02, 1.0
HALVES, WIDTHS = 760, 12  # points of the grid: one in 2 % of the load

Grid = NDArray[np.float64]


class Trial(NamedTuple):
    load: float
    held: bool


class Estimate(msgspec.Struct, frozen=True):
    """The median of the posterior and its 95 % interval."""

    value: float
    low: float
    high: float

    @property
    def half_width(self) -> float:
        """Half the width of the interval, as a share of the load: 0.1 means that it reaches 10 % up."""
        return math.sqrt(self.high / self.low) - 1


class Holding(msgspec.Struct, frozen=True):
    """Where the curve lies."""

    half: Estimate  # one run in two holds
    sure: Estimate  # 95 in a hundred hold


def holding(trials: Sequence[Trial]) -> Holding:
    """Return where the curve lies after these trials."""
    weights = _posterior(trials)
    return Holding(_estimate(_log_load_at(HALF), weights), _estimate(_log_load_at(SURE), weights))


def most_informative(trials: Sequence[Trial], start: float, least: float, most: float) -> float:
    """Return the load to try next, which is `start` first, and then a rung of the ladder through it.

    It lies between the two limits, and is at most CLIMB_MAX times the highest load that held.
    """
    if not trials:
        return start
    highest = max((trial.load for trial in trials if trial.held), default=start / CLIMB_MAX)
    ceiling = min(most, highest * CLIMB_MAX)
    first, last = (math.log(limit / start) / math.log(RUNG) for limit in (least, ceiling))
    rungs = start * RUNG ** np.arange(math.ceil(first - 1e-9), math.floor(last + 1e-9) + 1)
    weights = _posterior(trials)
    gains = [_information(_chance(math.log(load)), weights) for load in rungs]
    return float(rungs[int(np.argmax(gains))])


def is_known(trials: Sequence[Trial], precision: float) -> bool:
    """Whether some runs held and some broke, and the interval of `half` reaches at most `precision` from its middle."""
    both = len({trial.held for trial in trials}) == 2
    return both and len(trials) >= RUNS_MIN and holding(trials).half.half_width <= precision


_LOG_HALF = np.linspace(math.log(LOAD_MIN), math.log(LOAD_MAX), HALVES)[:, np.newaxis]
_WIDTH = np.geomspace(WIDTH_MIN, WIDTH_MAX, WIDTHS)[np.newaxis, :]


def _log_load_at(share: float) -> Grid:
    """The logarithm of the load at which that share of the runs holds, for each point of the grid."""
    steepness = math.log(SURE / (1 - SURE)) / _WIDTH
    found: Grid = _LOG_HALF + math.log((1 - BAD_LUCK) / share - 1) / steepness
    return found


def _chance(log_load: float) -> Grid:
    """P(holds) at that load for each point of the grid; never 0 or 1, so that no run is impossible."""
    steepness = math.log(SURE / (1 - SURE)) / _WIDTH
    falls = np.clip((log_load - _LOG_HALF) * steepness, -500, 500)
    chance: Grid = np.clip((1 - BAD_LUCK) / (1 + np.exp(falls)), 1e-6, 1 - BAD_LUCK)
    return chance


def _posterior(trials: Sequence[Trial]) -> Grid:
    """The probability of each point of the grid."""
    logs = np.zeros((HALVES, WIDTHS))
    for trial in trials:
        chance = _chance(math.log(trial.load))
        logs += np.log(chance if trial.held else 1 - chance)
    weights = np.exp(logs - logs.max())
    found: Grid = weights / weights.sum()
    return found


def _estimate(log_loads: Grid, weights: Grid) -> Estimate:
    order = np.argsort(log_loads, axis=None)
    below = np.cumsum(weights.ravel()[order])
    tail = (1 - CONFIDENCE) / 2
    low, value, high = (
        math.exp(log_loads.ravel()[order[min(int(np.searchsorted(below, share)), len(order) - 1)]])
        for share in (tail, 0.5, 1 - tail)
    )
    return Estimate(value=value, low=low, high=high)


def _information(chance: Grid, weights: Grid) -> float:
    """The mutual information of the outcome and the parameters: how much is expected to be learned."""
    expected = np.asarray((chance * weights).sum())
    return float(_entropy(expected) - (_entropy(chance) * weights).sum())


def _entropy(chance: Grid) -> Grid:
    entropy: Grid = -chance * np.log(chance) - (1 - chance) * np.log1p(-chance)
    return entropy
