"""Who is cut off for not reading: the bound of one, and that of all together."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from harness.gateway.session import too_slow
from harness.gateway.settings import Limits

LIMITS = Limits(send_buffer_max_bytes=100, send_buffers_max_bytes=500)


@given(st.dictionaries(st.integers(), st.integers(0, 300)))
def test_what_stays_is_within_both_bounds_and_nobody_is_cut_off_without_need(unread: dict[int, int]) -> None:
    cut = too_slow(unread, LIMITS)
    kept = {member: size for member, size in unread.items() if member not in cut}
    assert all(size <= 100 for size in kept.values())
    assert sum(kept.values()) <= 500
    for member in cut:
        needed = unread[member] > 100 or sum(kept.values()) + unread[member] > 500
        assert needed
    assert min((unread[m] for m in cut), default=0) >= max(kept.values(), default=0) or not cut


def test_a_few_who_read_keep_their_place_beside_many_who_do_not() -> None:
    unread = dict.fromkeys(range(20), 90) | {100: 0, 101: 10}
    cut = too_slow(unread, LIMITS)
    assert 100 not in cut
    assert 101 not in cut
