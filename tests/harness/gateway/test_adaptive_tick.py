"""The tick that adapts to how busy the gateway was."""

from __future__ import annotations

import asyncio
import time

from hypothesis import given
from hypothesis import strategies as st

from harness.gateway.adaptive_tick import AIM, EASY, FULL, TICK_MAX_S, TICK_MIN_S, ThreadTime, adapt, next_tick_s
from harness.gateway.rooms import Rooms

TICKS_S = st.floats(TICK_MIN_S, TICK_MAX_S)


@given(TICKS_S, st.floats(0, 2))
def test_the_tick_stays_within_its_bounds_and_moves_only_for_a_reason(tick_s: float, busy: float) -> None:
    following = next_tick_s(tick_s, busy)
    assert TICK_MIN_S <= following <= TICK_MAX_S
    if busy > FULL:
        assert following > tick_s or following == TICK_MAX_S
    elif busy < EASY:
        assert following < tick_s or following == TICK_MIN_S
    else:
        assert following == tick_s


@given(TICKS_S)
def test_below_half_of_a_core_it_comes_back_to_the_least(tick_s: float) -> None:
    for _ in range(40):
        tick_s = next_tick_s(tick_s, EASY - 0.01)
    assert tick_s == TICK_MIN_S


@given(TICKS_S, st.floats(0.1, 20), st.floats(0, 0.3))
def test_it_settles_where_the_gateway_is_neither_easy_nor_full(tick_s: float, writing: float, rest: float) -> None:
    """A model of a gateway: `writing` shares of a core at the least tick, inversely with the tick; and `rest`."""

    def busy() -> float:
        return rest + writing * TICK_MIN_S / tick_s

    for _ in range(100):
        tick_s = next_tick_s(tick_s, busy())
    assert (
        EASY <= busy() <= FULL or (tick_s == TICK_MAX_S and busy() > FULL) or (tick_s == TICK_MIN_S and busy() < EASY)
    )


def test_a_loop_that_does_nothing_else_is_busy_and_one_that_sleeps_is_not() -> None:
    with ThreadTime() as thread_time:
        before_s, began_s = thread_time.busy_s(), time.monotonic()
        while time.monotonic() - began_s < 0.2:
            pass
        working_s = thread_time.busy_s() - before_s
        before_s = thread_time.busy_s()
        time.sleep(0.2)
        sleeping_s = thread_time.busy_s() - before_s
    assert working_s > 5 * sleeping_s


def test_a_gateway_at_rest_has_the_least_tick() -> None:
    async def scenario() -> float:
        rooms = Rooms(TICK_MAX_S)
        adapting = asyncio.create_task(adapt(rooms))
        await asyncio.sleep(0.3)
        adapting.cancel()
        return rooms.tick_s

    assert asyncio.run(scenario()) == TICK_MIN_S
    assert EASY < AIM < FULL
