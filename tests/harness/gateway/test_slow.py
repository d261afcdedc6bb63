"""Which members are cut off because they do not read: the limit for one member and for all together."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from architectures.interface import Services, Topology
from harness.gateway.session import too_slow
from harness.gateway.settings import Limits, total
from harness.services.fleet import Fleet, FleetOptions
from tests.harness.gateway.test_session import hear, member, say

MIB = 1 << 20
LIMITS = Limits(send_buffer_max_bytes=100, send_buffers_max_bytes=500)


@given(st.dictionaries(st.integers(), st.integers(0, 300)))
def test_what_stays_is_within_both_bounds_and_nobody_is_cut_off_without_need(unread: dict[int, int]) -> None:
    cut = too_slow(unread, LIMITS)
    kept = {member: size for member, size in unread.items() if member not in cut}
    assert all(size <= 100 for size in kept.values())
    assert sum(kept.values()) <= 500
    for each in cut:
        needed = unread[each] > 100 or sum(kept.values()) + unread[each] > 500
        assert needed
    assert min((unread[m] for m in cut), default=0) >= max(kept.values(), default=0) or not cut


def test_a_few_who_read_keep_their_place_beside_many_who_do_not() -> None:
    unread = dict.fromkeys(range(20), 90) | {100: 0, 101: 10}
    cut = too_slow(unread, LIMITS)
    assert 100 not in cut
    assert 101 not in cut


@pytest.mark.slow
def test_many_who_never_read_cannot_fill_the_gateways_memory(tmp_path: Path) -> None:
    """Twenty of them, each within what one may have unread: together 80 MiB, of which 8 are allowed."""
    limits = Limits(
        send_buffer_max_bytes=4 * MIB, send_buffers_max_bytes=8 * MIB, slow_check_s=0.02, frames_burst=10_000
    )
    fleet = Fleet("direct", Services(), Topology(run_id="slow", gateways=1), tmp_path, FleetOptions(limits=limits))

    async def flood() -> None:
        async with AsyncExitStack() as stack:
            speaker = await stack.enter_async_context(member(fleet, "flood"))
            for _ in range(20):
                deaf = await stack.enter_async_context(member(fleet, "flood"))
                deaf.transport.pause_reading()
            gateway = psutil.Process(fleet.children[0].pid)
            before_bytes = gateway.memory_info().rss
            for number in range(200):  # 20 MB to each
                await say(speaker, {"t": "say", "room": "flood", "id": number, "text": "x" * 100_000})
                assert {(await hear(speaker))["t"], (await hear(speaker))["t"]} == {"ack", "chat"}
                assert gateway.memory_info().rss < before_bytes + 64 * MIB

    fleet.start()
    try:
        fleet.wait_ready()
        asyncio.run(flood())
        assert total(fleet.stats().values()).counts["cut_off_slow"] == 20
    finally:
        fleet.stop()
