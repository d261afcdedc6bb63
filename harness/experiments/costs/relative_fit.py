"""Fit a sum of terms that are at least zero to measurements, by least squares on relative errors, with paired draws.

Part of the sum may be known beforehand. The rest is multiplied by slowness ** elasticity, because a slower machine
takes longer for the same work. Draws are refits to resampled shapes, because the runs of one shape err together (A.
C. Davison and D. V. Hinkley, Bootstrap Methods and their Application, 1997, 3.8). The residuals that are added to
them are those of each shape when it was left out of the fit: they include that the form is wrong by something in a
shape it has not seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize_scalar, nnls

from harness.experiments.costs.fit import Floats, resampled

ELASTICITY_MAX = 1.5


@dataclass(frozen=True, slots=True)
class Measured:
    """The runs to fit to, a row for each."""

    amounts: Floats  # a column for each term
    known: Floats  # the part of each value that is known beforehand
    values: Floats
    weights: Floats
    slowness: Floats  # of the machine, relative to the usual
    shapes: npt.NDArray[np.int64]  # the number of each run's shape, from 0


@dataclass(frozen=True, slots=True)
class RelativeFit:
    """The coefficients, those of each draw, and the relative residuals of the shapes left out."""

    names: Sequence[str]
    coefficients: Floats
    draws: Floats  # a row for each draw
    residuals: Floats
    elasticity: float

    def value(self, amounts: Floats, known: float = 0.0, slowness: float = 1.0) -> float:
        return float(known + slowness**self.elasticity * (amounts @ self.coefficients))

    def drawn(self, amounts: Floats, known: float = 0.0, slowness: float = 1.0) -> Floats:
        """The value in each draw, without the residuals."""
        values: Floats = known + slowness**self.elasticity * (self.draws @ amounts)
        return values


def fit_relative(names: Sequence[str], runs: Measured) -> RelativeFit:
    """Raises ValueError if the runs or their shapes are too few."""
    shapes = int(runs.shapes.max()) + 1 if len(runs.shapes) else 0
    if len(runs.values) <= np.count_nonzero(runs.amounts.any(axis=0)) or shapes < 2:
        raise ValueError(f"{len(runs.values)} runs of {shapes} shapes are too few for {len(names)} terms")
    elasticity = _elasticity(runs)
    return RelativeFit(
        names=names,
        coefficients=_coefficients(runs, runs.weights, elasticity),
        draws=np.array(
            [_coefficients(runs, runs.weights * drawn[runs.shapes], elasticity) for drawn in resampled(shapes)]
        ),
        residuals=_left_out(runs, elasticity, shapes),
        elasticity=elasticity,
    )


def _coefficients(runs: Measured, weights: Floats, elasticity: float) -> Floats:
    roots = np.sqrt(weights) / runs.values
    scaled = runs.amounts * (runs.slowness**elasticity * roots)[:, None]
    coefficients: Floats = nnls(scaled, (runs.values - runs.known) * roots)[0]
    return coefficients


def _errors(runs: Measured, coefficients: Floats, elasticity: float) -> Floats:
    """How far each value is from the fitted one, relative to the fitted one."""
    fitted = runs.known + runs.slowness**elasticity * (runs.amounts @ coefficients)
    errors: Floats = runs.values / fitted - 1
    return errors


def _left_out(runs: Measured, elasticity: float, shapes: int) -> Floats:
    residuals = np.zeros(len(runs.values))
    for shape in range(shapes):
        out = runs.shapes == shape
        coefficients = _coefficients(runs, runs.weights * ~out, elasticity)
        if (runs.known + runs.amounts @ coefficients)[out].min() > 0:
            residuals[out] = _errors(runs, coefficients, elasticity)[out]
    return residuals


def _elasticity(runs: Measured) -> float:
    """The elasticity with the smallest squares of relative errors; 0 where the machine was as fast in all runs."""
    if np.ptp(runs.slowness) == 0:
        return 0.0

    def squares(elasticity: float) -> float:
        coefficients = _coefficients(runs, runs.weights, elasticity)
        fitted = runs.known + runs.slowness**elasticity * (runs.amounts @ coefficients)
        return float((runs.weights * np.square(fitted / runs.values - 1)).sum())

    return float(minimize_scalar(squares, bounds=(0.0, ELASTICITY_MAX), method="bounded").x)
