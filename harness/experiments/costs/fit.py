"""Fit unit costs to measured runs, and predict sums of them with intervals.

Each unit cost is at least zero. The fit minimises the squares of relative errors, so an error of a tenth counts the
same in a small run as in a large one. A machine that is slower for a while takes more CPU time for the same work, so
all amounts are multiplied by slowness ** elasticity, where the elasticity is fitted too.

Intervals come from refits on resampled shapes, not runs, because the runs of one shape err together; the residuals are
added back. All fits get the same resampled shapes, so draw i of one prediction belongs to draw i of each other one.
Source: Davison and Hinkley, Bootstrap Methods and their Application (1997), 3.8 (hierarchical data).
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize_scalar, nnls

from harness.experiments.costs.identification import Identification, identify

Floats = npt.NDArray[np.float64]
DRAWS = 200
CONFIDENCE = 0.90
ELASTICITY_MAX = 1.5


class Interval(msgspec.Struct, frozen=True):
    """A prediction and its 90 % interval: 90 of 100 true values should lie between `low` and `high`."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Runs:
    """What unit costs are fitted to, in arrays with a row for each run."""

    amounts: Floats  # a column for each unit
    values: Floats  # what was measured
    slowness: Floats  # of the machine, relative to the usual; 1 where it was not measured
    shapes: Sequence[int]  # the number of the run's shape


@dataclass(frozen=True, slots=True)
class UnitCosts:
    """The cost of one unit of each kind, with the costs from each resampled fit."""

    names: tuple[str, ...]
    costs: tuple[float, ...]
    draws: Floats  # a row for each fit, a column for each unit
    residuals: Floats  # the relative residuals of the fitted runs
    elasticity: float  # of the cost by the machine's slowness
    identification: Identification

    def predict(self, amounts: Sequence[float], stream: str = "", slowness: float = 1.0) -> Prediction:
        """The sum at that slowness of the machine. Different streams have independent residuals."""
        random = np.random.default_rng((DRAWS, zlib.crc32(stream.encode())))
        noise = random.choice(self.residuals, size=len(self.draws))
        times = slowness**self.elasticity
        spread = times * (self.draws @ np.array(amounts)) * (1 + noise)
        return Prediction(times * float(np.dot(self.costs, amounts)), spread)


@dataclass(frozen=True, slots=True)
class Prediction:
    """A predicted value, with the value of each resampled fit. Predictions add up draw by draw."""

    value: float
    draws: Floats

    def __add__(self, other: Prediction) -> Prediction:
        return Prediction(self.value + other.value, self.draws + other.draws)

    def __truediv__(self, other: Prediction) -> Prediction:
        return Prediction(self.value / other.value, self.draws / other.draws)

    @property
    def interval(self) -> Interval:
        low, high = np.quantile(self.draws, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
        return Interval(self.value, min(self.value, float(low)), max(self.value, float(high)))


NOTHING = Prediction(0.0, np.zeros(DRAWS))


def resampled(shapes: int) -> npt.NDArray[np.int64]:
    """How often each shape is in each draw: a row for each draw. The same for the same number of shapes."""
    return np.random.default_rng(shapes).multinomial(shapes, np.full(shapes, 1 / shapes), size=DRAWS)


def fit_units(names: tuple[str, ...], runs: Runs, times_drawn: npt.NDArray[np.int64]) -> UnitCosts:
    """Fit unit costs. `times_drawn` is that of `resampled`. Raises ValueError if there are too few runs."""
    identification, kept = identify(names, runs.amounts / runs.values[:, None])
    if len(runs.values) <= len(kept):
        raise ValueError(f"{len(runs.values)} runs are too few for {len(kept)} unit costs")
    elasticity = _elasticity(runs, kept)
    relative = _relative(runs, kept, elasticity)
    costs = _least_squares(relative, np.ones(len(runs.values)))
    draws = [_least_squares(relative, drawn[runs.shapes]) for drawn in times_drawn]
    freedom = np.sqrt(len(runs.values) / (len(runs.values) - np.count_nonzero(costs)))
    residuals = (1 / (relative @ costs) - 1) * freedom
    return UnitCosts(
        names=names,
        costs=tuple(_spread_out(costs, kept, len(names)).tolist()),
        draws=np.array([_spread_out(each, kept, len(names)) for each in draws]),
        residuals=residuals,
        elasticity=elasticity,
        identification=identification,
    )


def _relative(runs: Runs, kept: Sequence[int], elasticity: float) -> Floats:
    """The amounts of the kept units at each run's slowness, relative to what was measured."""
    scale = runs.slowness**elasticity / runs.values
    relative: Floats = runs.amounts[:, list(kept)] * scale[:, None]
    return relative


def _least_squares(relative: Floats, weights: npt.NDArray[np.int64] | Floats) -> Floats:
    roots = np.sqrt(weights)
    costs: Floats = nnls(relative * roots[:, None], roots)[0]
    return costs


def _elasticity(runs: Runs, kept: Sequence[int]) -> float:
    """The elasticity with the smallest squares of relative errors; 0 where the machine was as fast in all runs."""
    if np.ptp(runs.slowness) == 0:
        return 0.0

    def squares(elasticity: float) -> float:
        relative = _relative(runs, kept, elasticity)
        return float(np.square(relative @ _least_squares(relative, np.ones(len(relative))) - 1).sum())

    return float(minimize_scalar(squares, bounds=(0.0, ELASTICITY_MAX), method="bounded").x)


def _spread_out(costs: Floats, kept: Sequence[int], units: int) -> Floats:
    every = np.zeros(units)
    every[list(kept)] = costs
    return every
