"""A histogram as the text (.hgrm) that HDR plotters read: percentiles that come ever closer to 100, and the mean.

The text is that of HdrHistogram's outputPercentileDistribution, with five percentiles until the distance to 100 is half
of what it was. The library in Python stops at each bucket up to the highest value, which takes a quarter of a second.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

TICKS_PER_HALF_DISTANCE = 5
HEADER = "       Value     Percentile TotalCount 1/(1-Percentile)\n\n"
# Of any histogram up to ten minutes in microseconds, with three significant digits.
BUCKETS, SUBBUCKETS = 20, 2048

Values = npt.NDArray[np.int64]


def percentile_distribution(highest_us: Values, middle_us: Values, counts: Values) -> str:
    """The text, in milliseconds, of the buckets that have a count, by their highest values, middles and counts."""
    count = int(counts.sum())
    mean_us = float((middle_us * counts).sum()) / count if count else 0.0
    deviation_us = math.sqrt(float(((middle_us - mean_us) ** 2 * counts).sum()) / count) if count else 0.0
    max_us = int(highest_us[-1]) if count else 0
    return HEADER + "".join(
        (
            *_lines(highest_us, counts.cumsum()),
            f"#[Mean    = {mean_us / 1000:12.3f}, StdDeviation   = {deviation_us / 1000:12.3f}]\n",
            f"#[Max     = {max_us / 1000:12.3f}, TotalCount     = {count:12.3f}]\n",
            f"#[Buckets = {BUCKETS:12d}, SubBuckets     = {SUBBUCKETS:12d}]\n",
        )
    )


def _lines(highest_us: Values, up_to: Values) -> Iterator[str]:
    if not len(up_to):
        return
    reached = 100.0 * up_to / up_to[-1]
    last = len(up_to) - 1
    place, percentile = -1, 0.0
    while place < last:
        place = int(reached.searchsorted(percentile))
        share = percentile / 100
        yield f"{highest_us[place] / 1000:12.3f} {share:2.12f} {up_to[place]:10d} {1 / (1 - share):14.2f}\n"
        percentile = _next(percentile)
    yield f"{highest_us[last] / 1000:12.3f} {1.0:2.12f} {up_to[last]:10d}\n"


def _next(percentile: float) -> float:
    half_distance: float = math.pow(2, math.log(100 / (100.0 - percentile)) / math.log(2) + 1)
    return percentile + 100.0 / (TICKS_PER_HALF_DISTANCE * half_distance)
