"""The offset of a clock, estimated from exchanges."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.measure.clock_offset import Exchange, HostClock, Offset, bound_throughout_ns, latency_error_ms, offset_of

ways = st.integers(min_value=0, max_value=10**9)


@given(
    ahead_ns=st.integers(min_value=-(10**15), max_value=10**15),
    trips=st.lists(st.tuples(ways, ways), min_size=1, max_size=20),
)
def test_the_true_offset_is_within_the_bound_however_unequal_the_ways_there_and_back(
    ahead_ns: int, trips: list[tuple[int, int]]
) -> None:
    exchanges = [
        Exchange(asked, asked + there + ahead_ns, asked + there + back) for asked, (there, back) in enumerate(trips)
    ]
    found = offset_of(exchanges)
    assert abs(found.ahead_ns - ahead_ns) <= found.bound_ns
    assert found.bound_ns == min((there + back + 1) // 2 for there, back in trips)


def test_a_clock_that_drifts_is_known_less_well() -> None:
    assert bound_throughout_ns(Offset(100, 10), Offset(103, 4)) == 10
    assert bound_throughout_ns(Offset(100, 10), Offset(150, 4)) == 54


@pytest.mark.parametrize(("bounds_ms", "error_ms"), [([], 0.0), ([0.2], 0.2), ([0.2, 1.0, 0.5], 1.5)])
def test_a_latency_between_two_hosts_is_as_wrong_as_both_clocks(bounds_ms: list[float], error_ms: float) -> None:
    clocks = [HostClock(worker, 0.0, bound_ms) for worker, bound_ms in enumerate(bounds_ms, 1)]
    assert latency_error_ms(clocks) == pytest.approx(error_ms)
