from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.core.payload import SIZE_MAX_BYTES, SPREADS, draw_bytes


@given(st.sampled_from(sorted(SPREADS)), st.integers(1, SIZE_MAX_BYTES), st.integers())
def test_a_size_is_within_its_bounds_and_the_same_for_the_same_seed(spread: str, mean_bytes: int, seed: int) -> None:
    size = draw_bytes(spread, Random(seed), mean_bytes)
    assert 1 <= size <= SIZE_MAX_BYTES
    assert size == draw_bytes(spread, Random(seed), mean_bytes)


@pytest.mark.parametrize("spread", SPREADS)
def test_the_mean_is_what_was_asked_for(spread: str) -> None:
    random = Random(1)
    sizes = [draw_bytes(spread, random, 200) for _ in range(50_000)]
    assert sum(sizes) / len(sizes) == pytest.approx(200, rel=0.02)
    assert (len(set(sizes)) == 1) is (spread == "fixed")
