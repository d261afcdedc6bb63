"""How long deliveries were disturbed after a fault, and how many messages were served in spite of it."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np
import numpy.typing as npt

from harness.ledger.judge import NEVER_NS, RoomFates
from harness.ledger.trail import Integers

# The load is normal again when nothing is lost any more, and when in every window of this length nearly all messages
# reach their last recipient within twice the 99th percentile from before the fault (or within 50 ms more than it), and
# at least half as many messages are sent as before.
WINDOW_NS = 2_000_000_000
ABNORMAL_SHARE_MAX = 0.05
SLOWER_MAX = 2.0
SLOWER_NS_MAX = 50_000_000  # the driver itself may be this late
SENT_SHARE_MIN = 0.5
MESSAGES_BEFORE_MIN = 20  # too few messages do not show what is normal


class Recovery(msgspec.Struct, frozen=True):
    """How a phase recovered from one fault. Both times are counted from the moment of the fault.

    None means that it did not happen within the measurement, or that the phase is not `comparable`.
    """

    first_delivery_ms: float | None  # until every room had a delivery of a message sent after the fault
    normal_ms: float | None  # until latency was as before; 0: it was never disturbed
    never_normal: bool = False  # enough messages were sent to tell that no two seconds after the fault were normal
    comparable: bool = True  # enough messages were sent before the fault to tell what is normal
    # The share of the messages scheduled after the fault that were acked and reached everybody they had to reach.
    # None: no message was scheduled.
    availability: float | None = None


def recovery(
    fates: Sequence[RoomFates], not_taken_ns: Sequence[int], fault_ns: int, sending_ns: tuple[int, int]
) -> Recovery:
    """Judge how the rooms recovered from the fault at `fault_ns`. All times are in ns since the epoch.

    `not_taken_ns` holds the scheduled times of messages whose senders were disconnected. `sending_ns` is the period in
    which members sent messages.
    """
    first_ns = _first_delivery_ns(fates, fault_ns)
    scheduled = [*fates, _unsent(not_taken_ns)]
    usual_ns = _usual_ns(scheduled, fault_ns)
    normal_ns, never_normal = (
        (None, False) if usual_ns is None else _normal_ns(scheduled, usual_ns, fault_ns, *sending_ns)
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


def _unsent(not_taken_ns: Sequence[int]) -> RoomFates:
    """Represent messages that could not be sent as messages that reached nobody."""
    count = len(not_taken_ns)
    at_ns = np.array(not_taken_ns, dtype=np.int64)
    zeros, no_delivery = np.zeros(count, dtype=np.int64), np.full(count, -1)
    return RoomFates(at_ns, np.full(count, NEVER_NS), no_delivery, lost=np.ones_like(zeros), acked=zeros)


def _availability(fates: Sequence[RoomFates], fault_ns: int) -> float | None:
    since = np.concatenate([room.sent_ns >= fault_ns for room in fates])
    served = np.concatenate([(room.acked > 0) & (room.last_ns >= 0) & (room.lost == 0) for room in fates])
    return round(float(served[since].mean()), 4) if since.any() else None


def _usual_ns(fates: Sequence[RoomFates], fault_ns: int) -> float | None:
    """The longest normal time from sending to the last recipient; None if too few messages were sent before."""
    took_ns = []
    for room in fates:
        # A message that was in flight at the fault does not show the normal latency.
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
    """Return the moment after the fault and the last loss since which every whole window is normal.

    The second value says whether no window at all was normal.
    """
    sent_ns = np.concatenate([room.sent_ns for room in fates])
    order = np.argsort(sent_ns, kind="stable")
    sent_ns = sent_ns[order]
    last_ns = np.concatenate([room.last_ns for room in fates])[order]
    missed = (np.concatenate([room.lost for room in fates])[order] > 0) | (last_ns < 0)
    took_ns = last_ns - sent_ns
    before = sent_ns < fault_ns
    sent_min = SENT_SHARE_MIN * before.sum() / (fault_ns - start_ns) * WINDOW_NS

    candidates = np.concatenate([[fault_ns], sent_ns[~before]])
    candidates = candidates[candidates + WINDOW_NS <= end_ns]
    begin, end = np.searchsorted(sent_ns, candidates), np.searchsorted(sent_ns, candidates + WINDOW_NS)
    sent = end - begin
    late = _counted(missed | (took_ns > usual_ns), begin, end)
    is_normal = (sent >= sent_min) & (late <= ABNORMAL_SHARE_MAX * sent)
    (abnormal,) = (~is_normal | (candidates <= sent_ns[missed].max(initial=0))).nonzero()
    normal = candidates[abnormal[-1] + 1 :] if len(abnormal) else candidates
    never = len(candidates) > 0 and not is_normal.any()
    return (int(normal[0]) if len(normal) else None), bool(never)


def _counted(marked: npt.NDArray[np.bool_], begin: Integers, end: Integers) -> Integers:
    """Count the marked elements in each range [begin, end)."""
    up_to = np.concatenate([[0], np.cumsum(marked)])
    counts: Integers = up_to[end] - up_to[begin]
    return counts
