"""How evenly the deliveries of a phase are distributed."""

from __future__ import annotations

import numpy as np

from harness.ledger.fairness import HeardShare, HotRoom, heard_share, hot_room
from harness.ledger.judge import NEVER_NS, RoomFates

MS = 1_000_000


def room(took_ms: list[float], delivered: int, heard: tuple[tuple[float, int], ...] = ()) -> RoomFates:
    """Messages a millisecond apart, each of which reached its last recipient after so long; negative: nobody."""
    sent_ns = MS * np.arange(len(took_ms))
    took_ns = (np.array(took_ms) * MS).astype(np.int64)
    last_ns = np.where(took_ns < 0, -1, sent_ns + took_ns)
    first_ns, lost = np.where(took_ns < 0, NEVER_NS, last_ns), np.zeros(len(took_ms), dtype=np.int64)
    return RoomFates(sent_ns, first_ns, last_ns, lost, delivered, heard)


def test_members_who_heard_everything_have_a_share_of_one() -> None:
    assert heard_share([room([1], 10, ((1.0, 10),))]) == HeardShare(1.0, 1.0, 1.0)


def test_the_median_member_is_found_among_unequal_groups_of_several_rooms() -> None:
    rooms = [room([1], 10, ((0.25, 2), (0.5, 3))), room([1], 10, ((0.75, 4),))]
    assert heard_share(rooms) == HeardShare(0.25, 0.5, 0.75)


def test_without_anything_owed_there_is_no_share() -> None:
    assert heard_share([room([], 0)]) == HeardShare()
    assert hot_room([room([], 0)]) == HotRoom()
    assert hot_room([]) == HotRoom()


def test_the_hot_room_is_set_beside_all_others() -> None:
    rooms = [room([1, 1, 1], 30), room([40, 50, 60], 90), room([3, 3, 3], 30)]
    assert hot_room(rooms) == HotRoom(
        delivery_share=0.6, p50_ms=50.0, p99_ms=59.8, others_p50_ms=2.0, others_p99_ms=3.0
    )


def test_a_room_alone_has_no_others_and_what_reached_nobody_has_no_latency() -> None:
    alone = hot_room([room([5, -1], 7)])
    assert (alone.delivery_share, alone.p50_ms, alone.others_p50_ms) == (1.0, 5.0, None)
