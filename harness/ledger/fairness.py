"""How evenly the deliveries of a phase are spread over members and over rooms."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np

from harness.ledger.judge import RoomFates
from harness.ledger.trail import Integers


class HeardShare(msgspec.Struct, frozen=True):
    """The share (0 to 1) of its expected deliveries that a member got: the lowest, the median and the highest member.

    None means that no delivery was expected.
    """

    least: float | None = None
    median: float | None = None
    most: float | None = None


class HotRoom(msgspec.Struct, frozen=True):
    """The room with the most deliveries, compared with all other rooms.

    Latency runs from sending a message to its last recipient. None means that nothing was delivered there, or that
    there are no other rooms.
    """

    delivery_share: float | None = None  # of all deliveries
    p50_ms: float | None = None
    p99_ms: float | None = None
    others_p50_ms: float | None = None
    others_p99_ms: float | None = None


def heard_share(fates: Sequence[RoomFates]) -> HeardShare:
    """Summarise the members' shares of their expected deliveries over all rooms."""
    groups = sorted(group for room in fates for group in room.heard_shares)
    if not groups:
        return HeardShare()
    members = np.cumsum([members for _share, members in groups])
    median = groups[int(np.searchsorted(members, (members[-1] + 1) // 2))][0]
    return HeardShare(least=groups[0][0], median=median, most=groups[-1][0])


def hot_room(fates: Sequence[RoomFates]) -> HotRoom:
    """Compare the room with the most deliveries with all the others."""
    total = sum(room.delivered for room in fates)
    if total == 0:
        return HotRoom()
    hottest = max(range(len(fates)), key=lambda place: fates[place].delivered)
    p50_ms, p99_ms = _whole_ms([fates[hottest]])
    others_p50_ms, others_p99_ms = _whole_ms([room for place, room in enumerate(fates) if place != hottest])
    return HotRoom(
        delivery_share=round(fates[hottest].delivered / total, 4),
        p50_ms=p50_ms,
        p99_ms=p99_ms,
        others_p50_ms=others_p50_ms,
        others_p99_ms=others_p99_ms,
    )


def _whole_ms(fates: Sequence[RoomFates]) -> tuple[float | None, float | None]:
    """Return p50 and p99 of the time from sending a message to its last recipient, in milliseconds."""
    took_ns: list[Integers] = [(room.last_ns - room.sent_ns)[room.last_ns >= 0] for room in fates]
    all_ns = np.concatenate(took_ns) if took_ns else np.array([], dtype=np.int64)
    if len(all_ns) == 0:
        return None, None
    p50_ns, p99_ns = np.percentile(all_ns, [50, 99])
    return round(float(p50_ns) / 1e6, 3), round(float(p99_ns) / 1e6, 3)
