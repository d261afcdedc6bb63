"""Unit costs: what one of each costs, fitted from measured runs; and sums of them, with intervals.

Each unit cost is at least zero and is fitted by least squares on relative errors (an error of a tenth counts alike in a
small run and in a large one). Intervals come from refitting on resampled runs, with the residuals put back on top.
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
    """What is predicted, and between which two values 90 of 100 such predictions should come true."""

    value: float
    low: float
    high: float


class UnitCosts(msgspec.Struct, frozen=True, kw_only=True):
    """What one of each costs, and what it would by each of the resampled fits."""

    names: tuple[str, ...]
    costs: tuple[float, ...]
    draws: list[list[float]]
    residuals: list[float]  # relative, of the runs it was fitted on

    def predict(self, amounts: Sequence[float]) -> Prediction:
        noise = np.random.default_rng(DRAWS).choice(np.array(self.residuals), size=len(self.draws))
        spread = (np.array(self.draws) @ np.array(amounts)) * (1 + noise)
        return Prediction(float(np.dot(self.costs, amounts)), spread)


@dataclass(frozen=True, slots=True)
class Prediction:
    """A value, and what the resampled fits would have said: predictions add up draw by draw."""

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
    """From runs: how much there was of each, a row a run, and what it cost. Raises ValueError with too few of them."""
    if len(values) <= len(names):
        raise ValueError(f"{len(values)} runs are too few for {len(names)} unit costs")
    ones = np.ones(len(values))
    relative = amounts / values[:, None]
    costs, _ = nnls(relative, ones)
    random = np.random.default_rng(len(values))  # the same draws every time: a fit made again says the same
    draws = [nnls(relative[random.integers(0, len(values), len(values))], ones)[0].tolist() for _ in range(DRAWS)]
    freedom = np.sqrt(len(values) / (len(values) - np.count_nonzero(costs)))
    residuals = (values / (amounts @ costs) - 1) * freedom
    return UnitCosts(names=names, costs=tuple(costs.tolist()), draws=draws, residuals=residuals.tolist())
