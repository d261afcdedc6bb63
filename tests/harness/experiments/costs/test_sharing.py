"""How many messages share a write: the closed form, against the rooms of a gateway played through."""

from __future__ import annotations

import numpy as np
import pytest

from harness.experiments.costs.sharing import frames_per_write


def played(rate_per_s: float, tick_s: float) -> float:
    """Messages per write, if they come at random moments and a room that was quiet for a tick is written to at once."""
    moments_s = np.cumsum(np.random.default_rng(5).exponential(1 / rate_per_s, 20_000))
    writes, written_s, due_s = 0, -1.0, None
    for moment_s in moments_s:
        if due_s is not None and moment_s >= due_s:
            writes, written_s, due_s = writes + 1, due_s, None
        if due_s is not None:
            continue
        if moment_s - written_s >= tick_s:
            writes, written_s = writes + 1, moment_s
        else:
            due_s = moment_s + tick_s
    return len(moments_s) / writes


@pytest.mark.parametrize("messages_in_a_tick", [0.05, 0.3, 1.0, 3.0, 20.0])
def test_the_closed_form_agrees_with_the_rooms_of_a_gateway(messages_in_a_tick: float) -> None:
    tick_s = 0.002
    rate_per_s = messages_in_a_tick / tick_s
    assert float(frames_per_write(rate_per_s, tick_s, 0.0)) == pytest.approx(played(rate_per_s, tick_s), rel=0.05)


def test_where_messages_have_waited_for_each_other_longer_than_a_tick_the_tick_adds_little() -> None:
    assert float(frames_per_write(100.0, 0.002, 0.05)) == pytest.approx(6.0, rel=0.01)
