"""How long a fault affected the members, computed from the fate of each message."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from harness.ledger.judge import NEVER_NS, RoomFates
from harness.ledger.recovery import Recovery, recovery

S = 1_000_000_000
MS = 1_000_000
USUAL_NS = 5 * MS
FAULT_NS, END_NS = 10 * S, 30 * S


def room(silent: tuple[int, int] = (0, 0), lost: tuple[int, int] = (0, 0), every_ns: int = 50 * MS) -> RoomFates:
    """A message each 50 ms from 0 to 30 s; what is sent while it is `silent` arrives when that ends."""
    sent_ns = np.arange(0, END_NS, every_ns, dtype=np.int64)
    arrived_ns = np.where((sent_ns >= silent[0]) & (sent_ns < silent[1]), silent[1], sent_ns) + USUAL_NS
    is_lost = (sent_ns >= lost[0]) & (sent_ns < lost[1])
    return RoomFates(
        sent_ns=sent_ns,
        first_ns=np.where(is_lost, NEVER_NS, arrived_ns),
        last_ns=np.where(is_lost, -1, arrived_ns),
        lost=is_lost.astype(np.int64) * 10,
        acked=np.ones_like(sent_ns),
    )


def of(*rooms: RoomFates, not_taken_ns: Sequence[int] = ()) -> Recovery:
    return recovery(rooms, not_taken_ns, FAULT_NS, (0, END_NS))


def test_what_nobody_felt_is_over_at_once() -> None:
    assert of(room(), room()) == Recovery(first_delivery_ms=5.0, normal_ms=0.0, availability=1.0)


def test_a_pause_is_felt_until_what_is_said_is_soon_heard_again() -> None:
    seen = of(room(silent=(FAULT_NS, FAULT_NS + 5 * S)))
    assert seen.first_delivery_ms == 5005.0
    assert seen.normal_ms == pytest.approx(5000, abs=200)  # 5 % of a window of two seconds may be late


def test_a_disturbance_that_begins_late_is_over_when_it_ends() -> None:
    everything = room()
    late = (everything.sent_ns >= FAULT_NS + 2100 * MS) & (everything.sent_ns < FAULT_NS + 10 * S)
    slow = replace(everything, first_ns=everything.first_ns + 3 * S * late, last_ns=everything.last_ns + 3 * S * late)
    assert of(slow).normal_ms == pytest.approx(10_000, abs=200)


def test_a_few_milliseconds_are_no_disturbance() -> None:
    everything = room()
    later = 20 * MS * (everything.sent_ns >= FAULT_NS)
    slow = replace(everything, first_ns=everything.first_ns + later, last_ns=everything.last_ns + later)
    assert of(slow).normal_ms == 0.0


def test_the_room_that_was_silent_longest_counts() -> None:
    seen = of(room(), room(silent=(FAULT_NS, FAULT_NS + 7 * S)))
    assert seen.first_delivery_ms == 7005.0


def test_what_was_under_way_when_it_broke_does_not_count_as_usual() -> None:
    broken = room(silent=(FAULT_NS - 300 * MS, FAULT_NS + 5 * S))
    assert of(broken).normal_ms == pytest.approx(5000, abs=200)


def test_as_long_as_anything_is_lost_it_is_not_normal() -> None:
    seen = of(room(lost=(FAULT_NS, FAULT_NS + 3 * S)))
    assert seen == Recovery(first_delivery_ms=3005.0, normal_ms=3000.0, availability=0.85)


def test_what_does_not_end_within_the_measurement_is_not_seen() -> None:
    assert of(room(lost=(FAULT_NS, END_NS))) == Recovery(None, None, never_normal=True, availability=0.0)


def test_one_loss_near_the_end_does_not_mean_that_it_was_never_normal() -> None:
    seen = of(room(lost=(END_NS - S, END_NS - S + 1)))
    assert (seen.normal_ms, seen.never_normal) == (None, False)


def test_silence_because_nobody_can_speak_is_not_normal() -> None:
    everything = room()
    spoken = (everything.sent_ns < FAULT_NS) | (everything.sent_ns >= FAULT_NS + 4 * S)
    names = ("sent_ns", "first_ns", "last_ns", "lost", "acked")
    mute = RoomFates(**{name: getattr(everything, name)[spoken] for name in names})
    assert of(mute).normal_ms == pytest.approx(4000, abs=1100)  # half of the usual messages within two seconds


def test_as_long_as_somebody_who_is_away_cannot_speak_it_is_not_normal() -> None:
    seen = of(room(), not_taken_ns=[FAULT_NS + 1 * S, FAULT_NS + 4 * S])
    assert seen == Recovery(first_delivery_ms=5.0, normal_ms=4050.0, availability=0.995)


def test_a_few_messages_say_nothing_about_what_is_normal() -> None:
    seen = of(room(every_ns=S))
    assert (seen.normal_ms, seen.comparable) == (None, False)


def test_of_a_fault_at_the_very_beginning_nobody_can_tell_what_is_usual() -> None:
    seen = recovery([room()], [], 0, (0, END_NS))
    assert (seen.normal_ms, seen.never_normal, seen.comparable) == (None, False, False)
    assert (seen.first_delivery_ms, seen.availability) == (5.0, 1.0)


def test_available_is_what_was_acked_and_heard_by_all_of_all_that_was_to_be_said() -> None:
    everything = room(lost=(FAULT_NS, FAULT_NS + 2 * S))
    refused = (everything.sent_ns >= FAULT_NS + 2 * S) & (everything.sent_ns < FAULT_NS + 4 * S)
    seen = of(replace(everything, acked=(~refused).astype(np.int64)), not_taken_ns=[FAULT_NS + 5 * S] * 100)
    assert seen.availability == (400 - 40 - 40) / 500
    assert of(everything, not_taken_ns=[FAULT_NS - S] * 100).availability == 0.9, "of what came before it, none counts"


def test_nothing_said_is_nothing_seen() -> None:
    assert of() == Recovery(None, None, comparable=False)
