"""The latency of a message that waits for nobody: hops of the network, polls and wake-ups, as measured at low load."""

from __future__ import annotations

import math
from dataclasses import dataclass

import pandas as pd

ROOM_MAX = 50  # members, so that writing to all of them takes little of the latency
GATEWAYS_MAX = 4  # so that they do not crowd the machine
Z99 = 2.3263  # of the standard normal distribution


@dataclass(frozen=True, slots=True)
class BaseLatency:
    """A lognormal distribution of milliseconds."""

    median_ms: float
    sigma: float  # of the logarithm


def base_latency(points: pd.DataFrame, arch: str) -> BaseLatency:
    """The medians of p50 and p99 over the measured runs of this architecture with small rooms.

    Raises ValueError if none of them has a latency.
    """
    small = (points["members"] <= ROOM_MAX * points["rooms"]) & (points["gateways"] <= GATEWAYS_MAX)
    own = points[(points["arch"] == arch) & small][["latency_p50_ms", "latency_p99_ms"]].dropna()
    if own.empty:
        raise ValueError(f"no run of {arch} with small rooms has a valid latency")
    p50_ms, p99_ms = (float(own[column].median()) for column in own.columns)
    return BaseLatency(p50_ms, math.log(p99_ms / p50_ms) / Z99)
