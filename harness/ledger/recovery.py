"""What a fault did to the deliveries after it, and for how long."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np
import numpy.typing as npt

from harness.ledger.judge import NEVER_NS, Integers, RoomFates

# Normal is: nothing is lost any more, and of what is said within any so long nearly everything reaches its last
# recipient within twice the 99th percentile of before the fault (or 50 ms more), and not much less is said than before.
WINDOW_NS = 2_000_000_000
ABNORMAL_SHARE_MAX = 0.05
SLOWER_MAX = 2.0
SLOWER_NS_MAX = 50_000_000  # later than usual by less than a driver itself may be is no disturbance
SAID_SHARE_MIN = 0.5
MESSAGES_BEFORE_MIN = 20  # fewer say nothing about what is normal


class Recovery(msgspec.Struct, frozen=True):
    """Both times from the moment of the fault. None: not within the measurement, or not `comparable`."""

    first_delivery_ms: float | None  # until every room in which something was said since has heard something of it
    normal_ms: float | None  # until latency was as before; 0: it never was otherwise
    never_normal: bool = False  # enough was said to tell that no two seconds after it were as before
    comparable: bool = True  # enough was said before it to tell what is usual
    # Of what was to be said from then on: acked, and heard by all whom it was owed to. None: nothing was to be said.
    availability: float | None = None


def recovery(
    fates: Sequence[RoomFates], not_taken_ns: Sequence[int], fault_ns: int, spoken_ns: tuple[int, int]
) -> Recovery:
    """`not_taken_ns`: when somebody was to speak who was away. `spoken_ns`: from when to when members spoke."""
    first_ns = _first_delivery_ns(fates, fault_ns)
    scheduled = [*fates, _never_said(not_taken_ns)]
    usual_ns = _usual_ns(scheduled, fault_ns)
    normal_ns, never_normal = (
        (None, False) if usual_ns is None else _normal_ns(scheduled, usual_ns, fault_ns, *spoken_ns)
    )
    return Recovery(
        first_delivery_ms=None if first_ns is None else round((first_ns - fault_ns) / 1e6, 1),
        normal_ms=None if normal_ns is None else round((normal_ns - fault_ns) / 1e6, 1),
        never_normal=never_normal,
        comparable=usual_ns is not None,
        availability=_availability(scheduled, fault_ns),
    )


def _first_delivery_ns(fates: Sequence[RoomFates], fault_ns: int) -> int | None:
    rooms = [room.first_ns[room.sent_ns >= fault_ns] for room in fates]
    firsts = [int(first_ns.min()) for first_ns in rooms if len(first_ns)]
    last = max(firsts, default=NEVER_NS)
    return None if last == NEVER_NS else last


def _never_said(not_taken_ns: Sequence[int]) -> RoomFates:
    """As if it had been said, and had reached nobody."""
    count = len(not_taken_ns)
    at_ns = np.array(not_taken_ns, dtype=np.int64)
    never, nobody = np.zeros(count, dtype=np.int64), np.full(count, -1)
    return RoomFates(at_ns, np.full(count, NEVER_NS), nobody, lost=np.ones_like(never), acked=never)


def _availability(fates: Sequence[RoomFates], fault_ns: int) -> float | None:
    since = np.concatenate([room.sent_ns >= fault_ns for room in fates])
    served = np.concatenate([(room.acked > 0) & (room.last_ns >= 0) & (room.lost == 0) for room in fates])
    return round(float(served[since].mean()), 4) if since.any() else None


def _usual_ns(fates: Sequence[RoomFates], fault_ns: int) -> float | None:
    """Who takes no longer to reach its last recipient is as before; None: too little was said before to tell."""
    took_ns = []
    for room in fates:
        # What was under way when it broke is no example of what was usual.
        is_usual = (room.sent_ns < fault_ns) & (room.last_ns >= 0) & (room.lost == 0) & (room.last_ns < fault_ns)
        took_ns.append((room.last_ns - room.sent_ns)[is_usual])
    usual = np.concatenate(took_ns)
    if len(usual) < MESSAGES_BEFORE_MIN:
        return None
    p99_ns = float(np.percentile(usual, 99))
    return max(SLOWER_MAX * p99_ns, p99_ns + SLOWER_NS_MAX)


def _normal_ns(
    fates: Sequence[RoomFates], usual_ns: float, fault_ns: int, start_ns: int, end_ns: int
) -> tuple[int | None, bool]:
    """The moment since the fault and the last loss from which every whole window is normal, to the end.

    And whether there was not even one that is.
    """
    sent_ns = np.concatenate([room.sent_ns for room in fates])
    order = np.argsort(sent_ns, kind="stable")
    sent_ns = sent_ns[order]
    last_ns = np.concatenate([room.last_ns for room in fates])[order]
    missed = (np.concatenate([room.lost for room in fates])[order] > 0) | (last_ns < 0)
    took_ns = last_ns - sent_ns
    before = sent_ns < fault_ns
    said_min = SAID_SHARE_MIN * before.sum() / (fault_ns - start_ns) * WINDOW_NS

    candidates = np.concatenate([[fault_ns], sent_ns[~before]])
    candidates = candidates[candidates + WINDOW_NS <= end_ns]
    begin, end = np.searchsorted(sent_ns, candidates), np.searchsorted(sent_ns, candidates + WINDOW_NS)
    said = end - begin
    late = _counted(missed | (took_ns > usual_ns), begin, end)
    is_normal = (said >= said_min) & (late <= ABNORMAL_SHARE_MAX * said)
    (abnormal,) = (~is_normal | (candidates <= sent_ns[missed].max(initial=0))).nonzero()
    normal = candidates[abnormal[-1] + 1 :] if len(abnormal) else candidates
    never = len(candidates) > 0 and not is_normal.any()
    return (int(normal[0]) if len(normal) else None), bool(never)


def _counted(marked: npt.NDArray[np.bool_], begin: Integers, end: Integers) -> Integers:
    """How many are marked in each [begin, end)."""
    until = np.concatenate([[0], np.cumsum(marked)])
    counts: Integers = until[end] - until[begin]
    return counts
