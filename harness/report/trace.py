"""What a log of traffic says of a chat, on a terminal."""

from __future__ import annotations

from collections.abc import Iterator

from harness.core.units import figure_text
from harness.experiments.costs.advice import Wish
from harness.experiments.costs.trace_file import bad_text
from harness.experiments.costs.trace_sizes import MINUTE_S, Trace, equal_rooms


def trace_lines(trace: Trace, wish: Wish) -> Iterator[str]:
    """The sizes of the chat, what was left out, and what they do not tell."""
    for bad in trace.bad:
        yield f"Left out of the log: {bad_text(bad)}."
    yield (
        f"The log has {trace.messages:,} messages in {_time(trace.lasts_s)}: {figure_text(trace.rate_per_s)} a second "
        f"on average, {figure_text(trace.busiest_rate_per_s)} in the busiest minute. This advice is for that minute, "
        f"which begins at {trace.busiest_from[:19].replace('T', ' ')} UTC."
    )
    if trace.busiest_s < MINUTE_S:
        yield "The log is shorter than a minute, so a busier minute is likely."
    yield (
        f"It has {trace.rooms:,} room{'' if trace.rooms == 1 else 's'}, with {figure_text(trace.members_per_room)} "
        f"members on average and at most {figure_text(trace.members_per_room_p99)} in 99 % of them. The mean message "
        f"of that minute goes to a room of {figure_text(trace.listeners_per_message)}."
    )
    hot = trace.hottest_room
    yield (
        f"The hottest room has {figure_text(hot.members)} members, {hot.messages_share:.0%} of the messages and "
        f"{hot.deliveries_share:.0%} of the deliveries of that minute."
    )
    equal = equal_rooms(trace)
    if (wish.rooms, wish.members_per_room) == (equal.rooms, equal.members_per_room):
        yield (
            f"The model knows only equal rooms: {equal.rooms:,} of {figure_text(equal.members_per_room)} have as many "
            "members, messages and deliveries as the rooms of the log."
        )
    if trace.members_at_least:
        yield (
            "The log has no listeners for some rooms: their members are only those that it names, so sizes, rates of "
            "deliveries and costs are lower bounds; --members-per-room takes precedence."
        )


def _time(seconds: float) -> str:
    """The time in the largest unit of which it has at least two."""
    for unit, in_s in (("days", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * in_s:
            return f"{figure_text(seconds / in_s)} {unit}"
    return f"{figure_text(seconds)} s"
