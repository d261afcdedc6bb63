"""The sizes of a chat in a log of its traffic: rates, rooms and payloads, and the equal rooms that the model knows."""

from __future__ import annotations

import msgspec
import numpy as np
import numpy.typing as npt

from harness.core.units import utc_text
from harness.experiments.costs.trace_file import BadRows, TraceLog

MINUTE_S = 60.0
SHORTEST_S = 1.0  # a shorter log is taken to last this long
MEMBERS_MIN = 2.0


class RoomInTrace(msgspec.Struct, frozen=True, kw_only=True):
    """The room with the most deliveries in the busiest minute."""

    members: float
    rate_per_s: float
    messages_share: float
    deliveries_share: float


class Trace(msgspec.Struct, frozen=True, kw_only=True):
    """What a log says of the chat. The busiest minute is any 60 s, or all of a shorter log."""

    messages: int
    bad: list[BadRows]
    lasts_s: float
    rate_per_s: float  # mean of the whole log
    busiest_rate_per_s: float
    busiest_from: str  # UTC
    busiest_s: float  # 60, or less for a shorter log
    rooms: int
    members_per_room: float  # mean over the rooms of the whole log
    members_per_room_p99: float
    members_at_least: bool  # there are no `listeners` for some room, and its members are those that the log names
    listeners_per_message: float  # the members of the room, mean over the messages of the busiest minute
    hottest_room: RoomInTrace
    payload_bytes: float | None  # mean; None: the log has no sizes


class EqualRooms(msgspec.Struct, frozen=True, kw_only=True):
    """A chat of equal rooms that has as many members, messages and deliveries as the busiest minute of a log."""

    rooms: int
    members_per_room: float


def summed_up(log: TraceLog) -> Trace:
    """The sizes of the chat in a log."""
    members = _members(log)
    heard = np.where(np.isnan(log.listeners), members[log.room], log.listeners)
    first, last = _busiest(log.time_s)
    lasts_s = max(SHORTEST_S, float(log.time_s[-1] - log.time_s[0]))
    busiest_s = min(MINUTE_S, lasts_s)
    sizes = log.payload_bytes[~np.isnan(log.payload_bytes)]
    without = np.isin(np.arange(len(members)), log.room[~np.isnan(log.listeners)], invert=True)
    return Trace(
        messages=len(log.time_s),
        bad=list(log.bad),
        lasts_s=lasts_s,
        rate_per_s=len(log.time_s) / lasts_s,
        busiest_rate_per_s=_four_digits((last - first) / busiest_s),
        busiest_from=utc_text(int(log.time_s[first]) * 1_000_000_000),
        busiest_s=busiest_s,
        rooms=len(members),
        members_per_room=float(members.mean()),
        members_per_room_p99=float(np.quantile(members, 0.99, method="inverted_cdf")),
        members_at_least=bool(without.any()),
        listeners_per_message=float(heard[first:last].mean()),
        hottest_room=_hottest(log.room[first:last], heard[first:last], busiest_s),
        payload_bytes=float(sizes.mean()) if len(sizes) else None,
    )


def equal_rooms(trace: Trace) -> EqualRooms:
    """Equal rooms as large as the room of the mean message, and as many of them as have all members.

    They have as many members, messages and deliveries as the rooms of the log. Rooms of the mean size would have fewer
    deliveries where larger rooms talk more.
    """
    members_per_room = max(MEMBERS_MIN, _four_digits(trace.listeners_per_message))
    rooms = max(1, round(trace.rooms * trace.members_per_room / members_per_room))
    return EqualRooms(rooms=rooms, members_per_room=members_per_room)


def _four_digits(value: float) -> float:
    return float(f"{value:.4g}")


def _members(log: TraceLog) -> npt.NDArray[np.float64]:
    """The members of each room: the mean of its listeners, or those that the log names if it has no listeners."""
    has = ~np.isnan(log.listeners)
    rooms = len(log.known_members)
    of_rows = np.bincount(log.room[has], minlength=rooms)
    total = np.bincount(log.room[has], weights=log.listeners[has], minlength=rooms)
    return np.where(of_rows > 0, total / np.maximum(1, of_rows), log.known_members)


def _busiest(time_s: npt.NDArray[np.float64]) -> tuple[int, int]:
    """The messages of the 60 s with the most of them: the first, and the one after the last."""
    ends = np.searchsorted(time_s, time_s + MINUTE_S, side="left")
    counts = ends - np.arange(len(time_s))
    first = int(counts.argmax())
    return first, int(ends[first])


def _hottest(room: npt.NDArray[np.int64], heard: npt.NDArray[np.float64], lasts_s: float) -> RoomInTrace:
    deliveries = np.bincount(room, weights=heard)
    hottest = int(deliveries.argmax())
    messages = int((room == hottest).sum())
    total = float(deliveries.sum())
    return RoomInTrace(
        members=float(deliveries[hottest] / messages),
        rate_per_s=messages / lasts_s,
        messages_share=messages / len(room),
        deliveries_share=float(deliveries[hottest]) / total if total else 0.0,
    )
