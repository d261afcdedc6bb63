"""How many times one architecture's figure is another's, from runs that were paired in blocks.

In a block every architecture runs once, soon after one another. What a block has in common, such as a slow hour of
the machine, cancels in the ratio of two runs of the same block. The logarithms of these ratios are averaged, because
a ratio and its inverse are then treated alike, and the ratio of two geometric means is the mean ratio.

With few blocks the spread of one pair is hardly known. It is therefore moderated by that of all pairs: the variance is
the mean of the pair's own and of the pooled one, with twice the degrees of freedom (an empirical Bayes estimate whose
prior weighs as much as the data; G. Smyth, Linear models and empirical Bayes methods, 2004). If the noise of one
architecture is twice that of the others, its 95 % intervals still hold the truth in 92 of 100 cases.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from harness.analysis.student import quantiles, share_below

Matrix = NDArray[np.float64]

CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True)
class Figures:
    """One figure of several architectures over blocks.

    `values` has a row for each block and a column for each architecture, above zero, and NaN where a run is missing.
    `slowness` has the same shape: how long a fixed loop took around each run. None: not measured.
    """

    name: str
    architectures: tuple[str, ...]
    values: Matrix
    slowness: Matrix | None = None


@dataclass(frozen=True, slots=True)
class Contrast:
    """`first` over `second` in one figure: the logarithm of their ratio, and how sure it is."""

    figure: str
    first: str
    second: str
    log_ratio: float
    standard_error: float  # of log_ratio
    blocks: int  # the number of independent pairs that it rests on
    lost_freedom: float = 0.0  # degrees of freedom that this pair gave for the elasticity; see _Fitted
    lent_freedom: float = 0.0  # that other pairs have lent, for each of its own

    @property
    def ratio(self) -> float:
        return math.exp(self.log_ratio)

    def interval(self, confidence: float = CONFIDENCE) -> tuple[float, float]:
        """Return the t-interval of the ratio."""
        half = self.log_half_width(confidence)
        return math.exp(self.log_ratio - half), math.exp(self.log_ratio + half)

    def log_half_width(self, confidence: float = CONFIDENCE) -> float:
        return t_quantile(confidence, self.freedom(self.blocks)) * self.standard_error

    @property
    def half_width(self) -> float:
        """Half the width of the 95 % interval, as a share of the ratio: 0.1 means that it reaches 10 % up."""
        return math.expm1(self.log_half_width())

    @property
    def p_value(self) -> float:
        """The probability of a ratio at least as far from 1 if the truth were 1, by a two-sided t-test."""
        if self.standard_error == 0:
            return 1.0 if self.log_ratio == 0 else 0.0
        distance = abs(self.log_ratio) / self.standard_error
        return 2 * share_below(-distance, self.freedom(self.blocks))

    def freedom(self, blocks: int) -> float:
        """Return the degrees of freedom that it would have with so many blocks."""
        return (blocks - 1 - self.lost_freedom) * (1 + self.lent_freedom)


def t_quantile(confidence: float, degrees_of_freedom: float) -> float:
    return float(quantiles((1 + confidence) / 2, degrees_of_freedom))


def contrasts(figures: Figures) -> list[Contrast]:
    """Return the contrast of every pair of architectures; none where fewer than two blocks are complete.

    Only blocks in which every architecture has a figure count, so that the figures beside the ratios agree with them.
    """
    fitted = _Fitted.of(figures)
    if len(fitted.logs) < 2:
        return []
    pairs = combinations(range(len(figures.architectures)), 2)
    return [
        Contrast(
            figures.name,
            figures.architectures[i],
            figures.architectures[j],
            log_ratio=float(fitted.logs[:, i].mean() - fitted.logs[:, j].mean()),
            standard_error=fitted.standard_error(i, j),
            blocks=len(fitted.logs),
            lost_freedom=fitted.lost_freedom,
            lent_freedom=lent_freedom(len(figures.architectures)),
        )
        for i, j in pairs
    ]


def geometric_means(figures: Figures) -> dict[str, float]:
    """Return each architecture's mean over the complete blocks, at the same mean speed of the machine.

    The ratio of two of them is the ratio of their contrast. Empty where no block is complete.
    """
    logs = _Fitted.of(figures).logs
    if not len(logs):
        return {}
    return dict(zip(figures.architectures, np.exp(logs.mean(axis=0)).tolist(), strict=True))


def mean_intervals(figures: Figures) -> dict[str, tuple[float, float]]:
    """Return the 95 % t-interval of each geometric mean, alone. Empty where fewer than two blocks are complete.

    What the blocks have in common is in each of these, and cancels in the ratios: two architectures may differ although
    their intervals overlap.
    """
    fitted = _Fitted.of(figures)
    blocks = len(fitted.logs)
    if blocks < 2:
        return {}
    found = {}
    for place, name in enumerate(figures.architectures):
        mean = float(fitted.logs[:, place].mean())
        half = t_quantile(CONFIDENCE, blocks - 1 - fitted.lost_freedom) * fitted.standard_error_of_mean(place)
        found[name] = (math.exp(mean - half), math.exp(mean + half))
    return found


@dataclass(frozen=True, slots=True)
class _Fitted:
    """The logarithms of the complete blocks, after what the speed of the machine explains was taken away.

    The model is log(figure) = architecture + block + elasticity x log(slowness). The elasticity is estimated from what
    is left of both once the means of architectures and blocks are removed, that is, within architectures. It takes one
    of the (blocks - 1) x (architectures - 1) degrees of freedom, to which each pair gives its share: with two
    architectures, which are one pair, a whole one, and 1 / (architectures - 1) in general.
    """

    logs: Matrix  # (blocks, architectures)
    log_slowness: Matrix  # of the same shape
    elasticity_variance: float
    understated: float  # by which factor the estimated elasticity makes a variance look too small
    lost_freedom: float  # of each pair

    @classmethod
    def of(cls, figures: Figures) -> _Fitted:
        slowness = np.ones_like(figures.values) if figures.slowness is None else figures.slowness
        complete = ~np.isnan(figures.values * slowness).any(axis=1)
        logs, log_slowness = np.log(figures.values[complete]), np.log(slowness[complete])
        unadjusted = cls(logs, np.zeros_like(logs), 0.0, understated=1.0, lost_freedom=0.0)
        of_all = (logs.shape[0] - 1) * (logs.shape[1] - 1)
        if of_all < 2:
            return unadjusted
        within = _without_means(log_slowness)
        squares = float((within**2).sum())
        if squares < SLOWNESS_SQUARES_MIN:
            return unadjusted
        elasticity = float((_without_means(logs) * within).sum()) / squares
        adjusted = logs - elasticity * (log_slowness - log_slowness.mean())
        residual = float((_without_means(adjusted) ** 2).sum()) / (of_all - 1)
        return cls(adjusted, log_slowness, residual / squares, of_all / (of_all - 1), 1 / (logs.shape[1] - 1))

    def standard_error(self, i: int, j: int) -> float:
        """Of the mean difference of two columns: their spread over blocks, and the doubt about the elasticity."""
        imbalance = float((self.log_slowness[:, i] - self.log_slowness[:, j]).mean())
        return self._standard_error(variance_of_difference(self.logs, i, j), imbalance)

    def standard_error_of_mean(self, i: int) -> float:
        """Of the mean of one column, at the mean speed of the machine."""
        imbalance = float(self.log_slowness[:, i].mean() - self.log_slowness.mean())
        return self._standard_error(float(self.logs[:, i].var(ddof=1)), imbalance)

    def _standard_error(self, variance: float, imbalance: float) -> float:
        """Of a mean over blocks, where the machine was by `imbalance` slower, in logarithms, than it counts for."""
        return math.sqrt(variance * self.understated / len(self.logs) + imbalance**2 * self.elasticity_variance)


def variance_of_difference(logs: Matrix, i: int, j: int) -> float:
    """Return the variance over blocks of the difference of two columns, moderated by that of all pairs."""
    own = float((logs[:, i] - logs[:, j]).var(ddof=1))
    lent = lent_freedom(logs.shape[1])
    pooled = 2 * float((_without_means(logs) ** 2).sum()) / ((logs.shape[0] - 1) * (logs.shape[1] - 1))
    return float((own + lent * pooled) / (1 + lent))


def lent_freedom(architectures: int) -> float:
    """Return how many degrees of freedom the other pairs lend to each own of a pair: two are only one pair."""
    return float(min(1, architectures - 2))


# Below this the machine was equally fast everywhere, to the resolution of the clock, which explains nothing.
SLOWNESS_SQUARES_MIN = 1e-12


def _without_means(values: Matrix) -> Matrix:
    """Return the values without the means of their rows and columns."""
    rows, columns = values.mean(axis=1, keepdims=True), values.mean(axis=0, keepdims=True)
    residuals: Matrix = values - rows - columns + values.mean()
    return residuals
