"""Fit unit costs to measured runs, and predict sums of them with intervals.

Each unit cost is at least zero. The fit minimises the squares of relative errors, so an error of a tenth counts the
same in a small run as in a large one. Intervals come from refits on resampled runs, with the residuals added back.
Source: Efron and Tibshirani, An Introduction to the Bootstrap, ch. 9 (pairs, and residuals).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
import numpy as np
import numpy.typing as npt
from scipy.optimize import nnls

Floats = npt.NDArray[np.float64]
DRAWS = 200
CONFIDENCE = 0.90


class Interval(msgspec.Struct, frozen=True):
    """A prediction and its 90 % interval: 90 of 100 true values should lie between `low` and `high`."""

    value: float
    low: float
    high: float


class UnitCosts(msgspec.Struct, frozen=True, kw_only=True):
    """The cost of one unit of each kind, with the costs from each resampled fit."""

    names: tuple[str, ...]
    costs: tuple[float, ...]
    draws: list[list[float]]
    residuals: list[float]  # the relative residuals of the fitted runs

    def predict(self, amounts: Sequence[float]) -> Prediction:
        noise = np.random.default_rng(DRAWS).choice(np.array(self.residuals), size=len(self.draws))
        spread = (np.array(self.draws) @ np.array(amounts)) * (1 + noise)
        return Prediction(float(np.dot(self.costs, amounts)), spread)


@dataclass(frozen=True, slots=True)
class Prediction:
    """A predicted value, with the value of each resampled fit. Predictions add up draw by draw."""

    value: float
    draws: Floats

    def __add__(self, other: Prediction) -> Prediction:
        return Prediction(self.value + other.value, self.draws + other.draws)

    @property
    def interval(self) -> Interval:
        low, high = np.quantile(self.draws, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
        return Interval(self.value, min(self.value, float(low)), max(self.value, float(high)))


NOTHING = Prediction(0.0, np.zeros(DRAWS))


def fit_units(names: tuple[str, ...], amounts: Floats, values: Floats) -> UnitCosts:
    """Fit unit costs. `amounts` has a row per run, a column per unit. Raises ValueError if there are too few runs."""
    if len(values) <= len(names):
        raise ValueError(f"{len(values)} runs are too few for {len(names)} unit costs")
    ones = np.ones(len(values))
    relative = amounts / values[:, None]
    costs, _ = nnls(relative, ones)
    random = np.random.default_rng(len(values))  # a fixed seed, so that the same runs give the same fit
    draws = [nnls(relative[random.integers(0, len(values), len(values))], ones)[0].tolist() for _ in range(DRAWS)]
    freedom = np.sqrt(len(values) / (len(values) - np.count_nonzero(costs)))
    residuals = (values / (amounts @ costs) - 1) * freedom
    return UnitCosts(names=names, costs=tuple(costs.tolist()), draws=draws, residuals=residuals.tolist())
