"""What an architecture costs when nobody writes, and what each delivery costs on top."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Load:
    """One load, in arrays with a row for each block and a column for each architecture."""

    cpu_ms_per_s: NDArray[np.float64]  # of gateways and brokers together
    deliveries_per_s: NDArray[np.float64]
    slowness: NDArray[np.float64]  # of the machine meanwhile, in any unit; NaN: not measured


@dataclass(frozen=True, slots=True)
class Cost:
    """Arrays as in `Load`; NaN where it is not known, not above zero where noise was larger."""

    fixed_ms_per_s: NDArray[np.float64]
    marginal_us_per_delivery: NDArray[np.float64]
    # A machine that is so much slower makes that cost larger by one and the same power of this.
    fixed_slowness: NDArray[np.float64]
    marginal_slowness: NDArray[np.float64]


def cost_of(idle: Load, low: Load, high: Load) -> Cost:
    """Return the fixed cost, which is the CPU time of an idle chat, and the marginal cost between two rates.

    The marginal cost is not known where there were no more deliveries at the higher rate.
    """
    more_cpu_ms_per_s = high.cpu_ms_per_s - low.cpu_ms_per_s
    more = high.deliveries_per_s - low.deliveries_per_s
    more_or_unknown = np.where(more > 0, more, np.nan)
    return Cost(
        fixed_ms_per_s=idle.cpu_ms_per_s,
        marginal_us_per_delivery=1_000 * more_cpu_ms_per_s / more_or_unknown,
        fixed_slowness=idle.slowness,
        marginal_slowness=_slowness_of_difference(low, high),
    )


def _slowness_of_difference(low: Load, high: Load) -> NDArray[np.float64]:
    """Return the slowness that counts for what the high load takes more than the low one.

    If both loads take CPU time in proportion to slowness ** elasticity, the logarithm of their difference changes with
    the elasticity by (high x log(slowness of high) - low x log(slowness of low)) / (high - low): a slow moment in the
    low load makes the difference smaller. The loads in this are their means over all blocks, because the difference of
    one block may be close to zero.
    """
    log_low, log_high = np.log(low.slowness), np.log(high.slowness)
    known = np.concatenate([log_low[~np.isnan(log_low)], log_high[~np.isnan(log_high)]])
    usual = known.mean() if known.size else 0.0  # the logarithms are taken from here, so that they are small
    mean_low, mean_high = _mean_of_known(low.cpu_ms_per_s), _mean_of_known(high.cpu_ms_per_s)
    more = mean_high - mean_low
    weighted = mean_high * (log_high - usual) - mean_low * (log_low - usual)
    slowness: NDArray[np.float64] = np.exp(usual + np.where(more > 0, weighted / np.where(more > 0, more, 1), 0))
    return np.where(np.isnan(log_low + log_high), np.nan, slowness)


def _mean_of_known(blocks: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the mean over blocks of those values that are known; 0 where none is."""
    known = ~np.isnan(blocks)
    mean: NDArray[np.float64] = np.where(known, blocks, 0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    return mean


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
