"""Student's t distribution. SciPy is imported at the first call, because a report of one run compares nothing."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


def share_below(t: float, degrees_of_freedom: float) -> float:
    """Return the share of the distribution that is at most `t`."""
    from scipy.special import stdtr  # noqa: PLC0415 - 0.2 s; scipy.stats would take half a second

    return float(stdtr(degrees_of_freedom, t))


def quantiles(share: float, degrees_of_freedom: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Return the values that this share of the distribution does not exceed, one for each number of degrees."""
    from scipy.special import stdtrit  # noqa: PLC0415 - as above

    return np.asarray(stdtrit(np.asarray(degrees_of_freedom, dtype=np.float64), share))
