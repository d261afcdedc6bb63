"""How throughput grows with the number of processes: the Universal Scalability Law, fitted to measured limits.

    X(N) = lambda N / (1 + sigma (N - 1) + kappa N (N - 1))

lambda is the throughput of one. sigma is contention: the share of the work that only one can do at a time (with
kappa = 0 this is Amdahl's law). kappa is coherency: what each pair of them costs to agree, so that from some number
on more of them take less.

N / X is linear in 1 / lambda, sigma / lambda and kappa / lambda, so that the fit is one of least squares whose
coefficients are at least zero. Each limit counts by how closely it is known. The intervals of sigma and kappa come from
fits to limits that are drawn again within their own intervals.
Source: N. Gunther, Guerrilla Capacity Planning (2007), chapters 4 to 6.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import msgspec
import numpy as np
from numpy.typing import NDArray

from harness.analysis.holding import CONFIDENCE, Estimate

LIMITS_MIN = 4  # three parameters go through any three limits
DRAWS = 400
DEVIATIONS = 3.92  # of a normal distribution, from one end of its 95 % interval to the other
ERROR_MIN = 1e-4  # of a limit whose interval has no width
EQUAL = 1e-9  # limits differ by less than this share only by rounding

Floats = NDArray[np.float64]


class NotFitted(Exception):
    """The law cannot be fitted to these limits; the message says why."""


class Usl(msgspec.Struct, frozen=True, kw_only=True):
    """The law that was fitted, with 95 % intervals."""

    throughput_of_one: float  # lambda
    sigma: Estimate  # contention
    kappa: Estimate  # coherency
    r2: float | None  # the share of the limits' variance that the law explains; None: they do not differ

    def throughput(self, number: float) -> float:
        """X(number)."""
        slower_by = 1 + self.sigma.value * (number - 1) + self.kappa.value * number * (number - 1)
        return self.throughput_of_one * number / slower_by

    @property
    def most_at(self) -> float | None:
        """The number with the highest throughput; None: no number takes less than a smaller one."""
        if self.kappa.value == 0:
            return None if self.sigma.value <= 1 else 1.0
        return max(1.0, math.sqrt(max(0.0, 1 - self.sigma.value) / self.kappa.value))


def fit_usl(limits: Mapping[int, Estimate]) -> Usl:
    """Fit the law to the throughput of each number. Raises NotFitted."""
    if len(limits) < LIMITS_MIN:
        raise NotFitted(f"a fit takes {LIMITS_MIN} limits, not {len(limits)}")
    numbers = np.array(sorted(limits), dtype=np.float64)
    found = [limits[number] for number in sorted(limits)]
    values = np.array([each.value for each in found])
    errors = np.array([max(math.log(each.high / each.low) / DEVIATIONS, ERROR_MIN) for each in found])
    one, sigma, kappa = _fit(numbers, values, errors)
    if not math.isfinite(one):
        raise NotFitted("the limits fall faster than the law can")
    noise = np.random.default_rng(DRAWS).standard_normal((DRAWS, len(found)))
    draws = np.array([_fit(numbers, values * np.exp(errors * each), errors) for each in noise])
    draws = draws[np.isfinite(draws[:, 0])]
    usl = Usl(throughput_of_one=one, sigma=_estimate(sigma, draws[:, 1]), kappa=_estimate(kappa, draws[:, 2]), r2=None)
    fitted = np.array([usl.throughput(number) for number in numbers])
    return msgspec.structs.replace(usl, r2=_explained(np.log(values), np.log(fitted), errors))


def _fit(numbers: Floats, values: Floats, errors: Floats) -> tuple[float, float, float]:
    """lambda, sigma and kappa; lambda is infinite where the law does not fit."""
    from scipy.optimize import nnls  # noqa: PLC0415 - it takes a third of a second, and few searches need it

    inverse = numbers / values
    terms = np.column_stack([np.ones_like(numbers), numbers - 1, numbers * (numbers - 1)])
    weights = 1 / (inverse * errors)
    (one, sigma, kappa), _ = nnls(terms * weights[:, np.newaxis], inverse * weights)
    if one <= 0:
        return math.inf, 0.0, 0.0
    return 1 / one, sigma / one, kappa / one


def _estimate(value: float, draws: Floats) -> Estimate:
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(draws, [tail, 1 - tail]) if len(draws) else (value, value)
    return Estimate(value=float(value), low=min(float(value), float(low)), high=max(float(value), float(high)))


def _explained(logs: Floats, fitted: Floats, errors: Floats) -> float | None:
    """R2 of the logarithms, weighted as in the fit."""
    weights = errors**-2
    around = float((weights * (logs - np.average(logs, weights=weights)) ** 2).sum())
    if around <= EQUAL**2 * weights.sum():
        return None
    return 1 - float((weights * (logs - fitted) ** 2).sum()) / around
