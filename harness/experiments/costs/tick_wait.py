"""How long a message waits for the gateway's tick, by its room's rate: computed from the rule, with nothing fitted.

A room that was quiet for a tick is written to at once. Otherwise the message starts a timer of one tick, and all
messages of the room that come meanwhile go out together (harness.gateway.rooms). Let messages come at random moments,
x of them in a tick on average. After a write, the next one comes within the tick with the probability p = 1 -
exp(-x); it then waits for a whole tick, and the x that follow it are spread evenly over that tick. So one write in a
busy cycle carries 1 + x messages, and a write carries 1 + p x on average. In the reference, at 10 to 2,000 messages per
second of one room and a tick that did not grow, the median run measured 0-9 % more, 14 % more with plan2: messages that
a backend hands over together share a write as well.
"""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np

from harness.experiments.costs.fit import Floats
from harness.experiments.costs.sharing import frames_per_write

# Other causes spread latencies by about this much, so that a median does not jump when half of the messages wait.
OTHER_SPREAD_MS = 0.5
STEPS = 400


def waiting_ms(room_rate_per_s: float, tick_s: float, quantile: float) -> float:
    """Return how much later a quantile of the latency is because of the tick, in ms.

    It is that quantile of the wait plus normal noise of OTHER_SPREAD_MS, minus that of the noise alone.
    """
    in_tick, tick_ms = room_rate_per_s * tick_s, 1e3 * tick_s
    if not tick_ms:
        return 0.0
    busy = -math.expm1(-in_tick)
    carried = float(frames_per_write(room_rate_per_s, tick_s, wait_s=0.0))
    first, later = busy / carried, busy * in_tick / carried
    margin_ms = 5 * OTHER_SPREAD_MS
    waits_ms = np.linspace(-margin_ms, tick_ms + margin_ms, STEPS)
    shares = (
        (1 - first - later) * _normal(waits_ms)
        + first * _normal(waits_ms - tick_ms)
        + later * (_integral(waits_ms) - _integral(waits_ms - tick_ms)) / tick_ms
    )
    return max(0.0, float(np.interp(quantile, shares, waits_ms)) - NormalDist(0, OTHER_SPREAD_MS).inv_cdf(quantile))


def _normal(values_ms: Floats) -> Floats:
    """The distribution function of the noise."""
    return np.array([NormalDist(0, OTHER_SPREAD_MS).cdf(value) for value in values_ms])


def _integral(values_ms: Floats) -> Floats:
    """The integral of the distribution function of the noise up to each value: z F(z) + s^2 f(z)."""
    density = np.array([NormalDist(0, OTHER_SPREAD_MS).pdf(value) for value in values_ms])
    whole: Floats = values_ms * _normal(values_ms) + OTHER_SPREAD_MS**2 * density
    return whole
