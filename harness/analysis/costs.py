"""What an architecture costs when nobody writes, and what each delivery costs on top."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Load:
    """One load of an architecture, measured in each block; arrays with one value for each block."""

    cpu_ms_per_s: NDArray[np.float64]  # of gateways and brokers together
    deliveries_per_s: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Cost:
    """Arrays with one value for each block; NaN where it could not be told."""

    fixed_ms_per_s: NDArray[np.float64]
    marginal_us_per_delivery: NDArray[np.float64]


def cost_of(idle_cpu_ms_per_s: NDArray[np.float64], low: Load, high: Load) -> Cost:
    """Return the fixed cost, which is the CPU time of an idle chat, and the marginal cost between two rates.

    A cost that grows no further is not a marginal cost of zero but one that was too small to be measured: NaN.
    """
    more_cpu_us = 1_000 * (high.cpu_ms_per_s - low.cpu_ms_per_s)
    return Cost(
        fixed_ms_per_s=np.where(idle_cpu_ms_per_s > 0, idle_cpu_ms_per_s, np.nan),
        marginal_us_per_delivery=_for_each(high.deliveries_per_s - low.deliveries_per_s, more_cpu_us),
    )


def shared_out(total: float, used: Mapping[str, float]) -> dict[str, float]:
    """Return the total in proportion to what each part used. A part that used less than nothing, by noise, has none."""
    above = {part: max(0.0, amount) for part, amount in used.items()}
    whole = sum(above.values())
    return {part: total * amount / whole for part, amount in above.items()} if whole > 0 else {}


def _for_each(more: NDArray[np.float64], cpu_us: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the CPU time of each, and NaN where there are no more of them, or where they took no more CPU time."""
    measured = (more > 0) & (cpu_us > 0)
    return np.where(measured, cpu_us / np.where(measured, more, 1.0), np.nan)
