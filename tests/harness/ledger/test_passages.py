"""What a gateway has told by its own clock."""

from __future__ import annotations

from harness.ledger.passages import Passage, Passages, in_this_hosts_clock
from harness.measure.clock_offset import Offset


def test_every_moment_is_moved_and_what_is_not_known_stays_so() -> None:
    told = Passages([Passage(7, received_ns=110, written_ns=150, marks={"relayed": 130})], forgotten=2, one_in=5)
    moved = in_this_hosts_clock(told, Offset(ahead_ns=100, bound_ns=3))
    assert moved == Passages(
        [Passage(7, received_ns=10, written_ns=50, marks={"relayed": 30})], forgotten=2, one_in=5, bound_ns=3
    )
