"""How evenly a phase came out: over the members of a room, and over the rooms."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np

from harness.ledger.judge import Integers, RoomFates


class HeardShare(msgspec.Struct, frozen=True):
    """What part of the messages owed to a member it got: of the member who got least, of the median one, of the most.

    None: nothing was owed to anybody.
    """

    least: float | None = None
    median: float | None = None
    most: float | None = None


class HotRoom(msgspec.Struct, frozen=True):
    """The room with the most deliveries beside all others. Latency is from sending to a message's last recipient.

    None: nothing was delivered there, or there are no others.
    """

    delivery_share: float | None = None  # of all deliveries
    p50_ms: float | None = None
    p99_ms: float | None = None
    others_p50_ms: float | None = None
    others_p99_ms: float | None = None


def heard_share(fates: Sequence[RoomFates]) -> HeardShare:
    groups = sorted(group for room in fates for group in room.heard_shares)
    if not groups:
        return HeardShare()
    members = np.cumsum([members for _share, members in groups])
    median = groups[int(np.searchsorted(members, (members[-1] + 1) // 2))][0]
    return HeardShare(least=groups[0][0], median=median, most=groups[-1][0])


def hot_room(fates: Sequence[RoomFates]) -> HotRoom:
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
    """p50 and p99 of the time until a message had reached everybody it reached at all."""
    took_ns: list[Integers] = [(room.last_ns - room.sent_ns)[room.last_ns >= 0] for room in fates]
    all_ns = np.concatenate(took_ns) if took_ns else np.array([], dtype=np.int64)
    if len(all_ns) == 0:
        return None, None
    p50_ns, p99_ns = np.percentile(all_ns, [50, 99])
    return round(float(p50_ns) / 1e6, 3), round(float(p99_ns) / 1e6, 3)
