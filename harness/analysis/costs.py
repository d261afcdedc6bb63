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
    """Arrays with one value for each block; NaN where it is not known, not above zero where noise was larger."""

    fixed_ms_per_s: NDArray[np.float64]
    marginal_us_per_delivery: NDArray[np.float64]


def cost_of(idle_cpu_ms_per_s: NDArray[np.float64], low: Load, high: Load) -> Cost:
    """Return the fixed cost, which is the CPU time of an idle chat, and the marginal cost between two rates.

    The marginal cost is not known where there were no more deliveries at the higher rate.
    """
    more_cpu_us = 1_000 * (high.cpu_ms_per_s - low.cpu_ms_per_s)
    more = high.deliveries_per_s - low.deliveries_per_s
    more_or_unknown = np.where(more > 0, more, np.nan)
    return Cost(fixed_ms_per_s=idle_cpu_ms_per_s, marginal_us_per_delivery=more_cpu_us / more_or_unknown)


def why_left_out(blocks: NDArray[np.float64]) -> str | None:
    """Say why an architecture cannot be compared by a cost with these values, one for each block. None: it can be.

    A block in which the cost was not above zero has no ratio to another. Such blocks must not be dropped by themselves:
    those that stayed would be the ones in which noise made the cost larger. And an architecture that is known in few
    blocks must not take away from the others the blocks that they have in common.
    """
    known = int((~np.isnan(blocks)).sum())
    too_small = int((blocks <= 0).sum())
    if not known:
        return "not measured"
    if too_small:
        return f"too small to measure in {too_small} of {known} blocks"
    return f"measured in only {known} of {len(blocks)} blocks" if known < len(blocks) / 2 else None


def shared_out(total: float, used: Mapping[str, float]) -> dict[str, float]:
    """Return the total in proportion to what each part used. A part that used less than nothing, by noise, has none."""
    above = {part: max(0.0, amount) for part, amount in used.items()}
    whole = sum(above.values())
    return {part: total * amount / whole for part, amount in above.items()} if whole > 0 else {}
