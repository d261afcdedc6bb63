"""The wait for the gateway's tick, against a simulation of its rule."""

from __future__ import annotations

import numpy as np
import pytest

from harness.experiments.costs.tick_wait import OTHER_SPREAD_MS, waiting_ms

TICK_S = 0.002


def simulated(room_rate_per_s: float) -> list[float]:
    """The wait of each message in ms, by the rule of harness.gateway.rooms."""
    arrivals_s = np.random.default_rng(3).exponential(1 / room_rate_per_s, size=20_000).cumsum().tolist()
    waits_ms = []
    written_s = due_s = -1.0
    for now_s in arrivals_s:
        if now_s > due_s and now_s - max(written_s, due_s) >= TICK_S:
            written_s = now_s
            waits_ms.append(0.0)
            continue
        if now_s > due_s:
            due_s = now_s + TICK_S
        waits_ms.append(1e3 * (due_s - now_s))
    return waits_ms


@pytest.mark.parametrize("room_rate_per_s", [10, 100, 400, 1000, 3000])
def test_the_rule_is_computed_as_it_is_simulated(room_rate_per_s: float) -> None:
    waits_ms = simulated(room_rate_per_s)
    noise_ms = np.random.default_rng(4).normal(0, OTHER_SPREAD_MS, len(waits_ms))
    for quantile in (0.5, 0.99):
        more_ms = np.quantile(np.array(waits_ms) + noise_ms, quantile) - np.quantile(noise_ms, quantile)
        assert waiting_ms(room_rate_per_s, TICK_S, quantile) == pytest.approx(more_ms, abs=0.06)


def test_a_quiet_room_does_not_wait_and_no_tick_is_no_wait() -> None:
    assert waiting_ms(0.1, TICK_S, 0.5) == pytest.approx(0, abs=1e-3)
    assert waiting_ms(1000, 0, 0.5) == 0
