"""How many independent messages a series of messages is worth: neighbouring messages are late together."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

TAIL = 0.95  # the slowest messages, whose clustering is judged apart: those beyond this quantile
Floats = npt.NDArray[np.float64]


def independent_count(values: npt.ArrayLike) -> int:
    """Return the effective size of a series of observations in the order of time; at most their number.

    It is the smaller of two: that of the observations' ranks, and that of the indicator of the slowest 5 %, because
    slow messages may come in bursts although the others do not (A. Vehtari, A. Gelman, D. Simpson, B. Carpenter and
    P.-C. Buerkner, Rank-normalization, folding, and localization, Bayesian Analysis 16, 2021). Ranks do not change with
    the unit, and one stall does not drown all others. Each effective size is n over the sum of all autocorrelations,
    which is cut off by the initial monotone sequence where noise begins (C. J. Geyer, Practical Markov chain Monte
    Carlo, Statistical Science 7, 1992). It errs to the side of too few: of 1,000 independent observations it counts
    about 930.
    """
    series = np.asarray(values, dtype=np.float64)
    if len(series) < 2:
        return len(series)
    slow = (series > np.quantile(series, TAIL)).astype(np.float64)
    return min(_effective_size(_ranks(series)), _effective_size(slow))


def _ranks(series: Floats) -> Floats:
    """Return the rank of each value; equal values have the mean of their ranks."""
    _, places, counts = np.unique(series, return_inverse=True, return_counts=True)
    after: Floats = counts.cumsum() - (counts - 1) / 2
    return after[places]


def _effective_size(series: Floats) -> int:
    """Return n over the sum of all autocorrelations. A constant series, about which nothing is known, counts as n."""
    count = len(series)
    autocorrelations = _autocorrelations(series)
    if autocorrelations is None:
        return count
    # Sums of neighbouring pairs are positive and fall for any reversible chain; what does neither is noise.
    pairs = autocorrelations[: count // 2 * 2].reshape(-1, 2).sum(axis=1)
    (negative,) = np.nonzero(pairs <= 0)
    pairs = np.minimum.accumulate(pairs[: negative[0] if len(negative) else len(pairs)])
    return min(count, max(1, round(count / max(1.0, 2 * float(pairs.sum()) - 1))))


def _autocorrelations(series: Floats) -> Floats | None:
    """Return the autocorrelation at every lag, by fast Fourier transform; None if all values are equal."""
    deviations = series - series.mean()
    if not deviations.any():
        return None
    size = 1 << math.ceil(math.log2(2 * len(series)))
    spectrum = np.fft.rfft(deviations, size)
    covariances: Floats = np.fft.irfft(spectrum * spectrum.conj(), size)[: len(series)]
    covariances /= covariances[0]
    return covariances
