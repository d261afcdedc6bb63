"""The ledger's verdicts, on histories as audiences write them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.audience.history import History, Message, Stay
from harness.ledger.judge import Verdict, judge
from harness.ledger.reports import message_id


def say(history: History, sender: int, sequence: int, at: int) -> Message:
    return history.say(message_id(sender, sequence), "room", intended_ns=at, sent_ns=at)


def room_of(history: History, members: int) -> list[Stay]:
    return [history.enter("room", "g", 0) for _ in range(members)]


def deliver(stay: Stay, message: Message, at: int) -> None:
    stay.hear((message,))
    message.first_ns = min(at, message.first_ns or at)
    message.last_ns = max(at, message.last_ns or at)


def verdict_of(*histories: History) -> Verdict:
    return judge([room for history in histories for room in history.report()]).verdict


def test_nothing_said_is_an_empty_verdict() -> None:
    assert verdict_of(History()) == Verdict()
    history = History()
    room_of(history, 2)
    assert verdict_of(history) == Verdict()


def test_everything_delivered_once_is_a_clean_verdict() -> None:
    history = History()
    stays = room_of(history, 3)
    for sequence in range(20):
        message = say(history, 0, sequence, at=10 + sequence)
        history.ack(message, 11 + sequence)
        for stay in stays:
            deliver(stay, message, 12 + sequence)
    assert verdict_of(history) == Verdict(sent=20, acked=20, expected=60, delivered=60)


def test_lost_though_acked_is_told_from_lost_and_never_acked() -> None:
    history = History()
    (stay, _deaf) = room_of(history, 2)
    for sequence in range(3):
        message = say(history, 0, sequence, at=10)
        deliver(stay, message, 11)
        if sequence < 2:
            history.ack(message, 11)
    verdict = verdict_of(history)
    assert (verdict.expected, verdict.delivered, verdict.lost, verdict.lost_acked) == (6, 3, 3, 2)


def test_each_delivery_beyond_the_first_is_a_duplicate_and_not_a_delivery() -> None:
    history = History()
    (stay,) = room_of(history, 1)
    message = say(history, 0, 0, at=10)
    assert [stay.hear((message,)) for _ in range(3)] == [[], [message], [message]]
    verdict = verdict_of(history)
    assert (verdict.delivered, verdict.duplicated) == (1, 2)


def test_order_is_per_sender() -> None:
    history = History()
    (stay,) = room_of(history, 1)
    first, second = say(history, 1, 0, at=10), say(history, 1, 1, at=11)
    other = say(history, 2, 0, at=12)
    for message in (other, second, first):
        deliver(stay, message, 20)
    assert verdict_of(history).reordered == 1  # `first` after `second`; nothing is owed between senders


def test_a_duplicate_of_an_old_message_is_not_out_of_order() -> None:
    history = History()
    (stay,) = room_of(history, 1)
    first, second = say(history, 1, 0, at=10), say(history, 1, 1, at=11)
    for message in (first, second, first):
        deliver(stay, message, 20)
    assert (verdict_of(history).reordered, verdict_of(history).duplicated) == (0, 1)


def test_what_was_in_flight_while_a_member_joined_or_left_counts_as_neither() -> None:
    history = History()
    (listener,) = room_of(history, 1)
    before_join = say(history, 0, 0, at=10)
    late = history.enter("room", "g", 20)
    deliver(late, before_join, 21)  # said before, heard after
    in_flight = say(history, 0, 1, at=30)
    late.left_ns = 31  # left before anybody had it
    for message in (before_join, in_flight):
        deliver(listener, message, 40)
    verdict = verdict_of(history)
    assert (verdict.expected, verdict.delivered, verdict.lost, verdict.neither) == (2, 2, 0, 2)


def test_what_had_settled_before_a_member_left_is_lost_if_it_did_not_arrive() -> None:
    history = History()
    listener, leaver = room_of(history, 2)
    message = say(history, 0, 0, at=10)
    history.ack(message, 11)
    deliver(listener, message, 12)
    leaver.left_ns = 50
    assert verdict_of(history).lost_acked == 1


def test_a_member_who_reads_too_slowly_is_owed_only_what_it_heard() -> None:
    history = History()
    listener, slow = room_of(history, 2)
    for sequence in range(2):
        message = say(history, 0, sequence, at=10 + sequence)
        history.ack(message, 11)
        deliver(listener, message, 12)
        if sequence == 0:
            deliver(slow, message, 13)
    slow.behind_ns, slow.left_ns = 0, 50
    verdict = verdict_of(history)
    assert (verdict.expected, verdict.delivered, verdict.lost, verdict.neither) == (3, 3, 0, 1)


def slow_member(history: History, *, heard_seconds: range, slow_from: int) -> Stay:
    """Of 20 s in which another one hears all; it hears nothing of what was said since it is slow."""
    listener, slow = room_of(history, 2)
    spoken(history, 20, heard_by=[listener])
    for message in history.said.values():
        assert message.sent_ns is not None
        if message.sent_ns // S in heard_seconds and message.sent_ns < slow_from * S:
            deliver(slow, message, message.sent_ns)
    slow.read_nothing(slow_from * S)
    return slow


def test_slowness_excuses_nothing_that_was_lost_before_it() -> None:
    history = History()
    slow = slow_member(history, heard_seconds=range(8, 10), slow_from=12)
    slow.left_ns = 20 * S
    verdict = verdict_of(history)
    # 0 to 8 s is a gap, as what came later was heard; 10 to 11 s had the time to come before it was slow.
    assert (verdict.lost, verdict.neither) == (90, 90)


def test_slowness_that_is_over_excuses_nothing_at_all() -> None:
    history = History()
    slow = slow_member(history, heard_seconds=range(12), slow_from=12)
    slow.read_on_ns = 16 * S
    assert (verdict_of(history).lost_acked, verdict_of(history).neither) == (80, 0)
    slow.left_ns = 16 * S + 1  # with no time to read
    assert (verdict_of(history).lost_acked, verdict_of(history).neither) == (0, 41)


def test_of_who_is_cut_off_nothing_is_excused_before_the_last_thing_it_heard() -> None:
    history = History()
    listener, cut_off = room_of(history, 2)
    spoken(history, 20, heard_by=[listener])
    for message in list(history.said.values())[:100]:
        if message.identity != message_id(0, 30):
            deliver(cut_off, message, 10 * S)
    cut_off.left_ns, cut_off.broken, cut_off.cut_off = 15 * S, True, True
    assert (verdict_of(history).lost_acked, verdict_of(history).neither) == (1, 51)


def test_who_is_told_what_it_missed_is_owed_all_from_before_it_was_cut_off() -> None:
    history = History()
    listener, before = room_of(history, 2)
    spoken(history, 20, heard_by=[listener])
    before.left_ns, before.broken, before.cut_off = 5 * S, True, True
    after = come_back(history, before, left=5 * S, joined=6 * S, told=True)
    after.read_nothing(12 * S)
    assert (verdict_of(history).lost, verdict_of(history).neither) == (110, 90)


def test_a_message_is_settled_when_it_is_refused() -> None:
    """As under plan2 with a gateway that stands still: each had five listeners, who left later."""
    history = History()
    listeners = room_of(history, 5)
    for sequence in range(190):
        say(history, 0, sequence, at=10 + sequence).over_ns = 300
    for listener in listeners:
        listener.left_ns = 400
    verdict = verdict_of(history)
    assert (verdict.expected, verdict.lost, verdict.lost_acked, verdict.neither) == (950, 950, 0, 0)
    for listener in listeners:
        listener.left_ns = 250
    assert (verdict_of(history).lost, verdict_of(history).neither) == (0, 950)


def test_rooms_are_judged_apart() -> None:
    history = History()
    here = history.enter("here", "g", 0)
    history.enter("there", "g", 0)
    message = history.say(message_id(0, 0), "here", 10, 10)
    deliver(here, message, 11)
    assert (verdict_of(history).expected, verdict_of(history).lost) == (1, 0)


def test_what_nobody_said_is_a_stray() -> None:
    history = History()
    (stay,) = room_of(history, 1)
    stay.hear((history.room("room").message(message_id(5, 5), intended_ns=3),))
    assert verdict_of(history) == Verdict(strays=1)


def test_a_message_in_another_room_than_it_was_said_in_is_a_stray_there_and_lost_here() -> None:
    history = History()
    history.enter("here", "g", 0)
    there = history.enter("there", "g", 0)
    history.say(message_id(0, 0), "here", 10, 10)
    there.hear((history.room("there").message(message_id(0, 0), intended_ns=10),))
    assert verdict_of(history) == Verdict(sent=1, expected=1, lost=1, strays=1)


def test_spread_is_from_the_first_recipient_to_the_last_wherever_they_are() -> None:
    speaking, listening = History(), History()
    here, there = speaking.enter("room", "g", 0), listening.enter("room", "g", 0)
    said = say(speaking, 0, 0, at=10)
    deliver(here, said, 15)
    deliver(there, listening.room("room").message(said.identity, 10), 40)
    assert judge([*speaking.report(), *listening.report()]).spread_ns == [25]


@dataclass
class Truth:
    """The same bookkeeping with lists and sets, too slow to measure with and too simple to be wrong."""

    heard: dict[int, list[int]] = field(default_factory=dict)

    def duplicated(self) -> int:
        return sum(len(heard) - len(set(heard)) for heard in self.heard.values())

    def reordered(self, senders: list[int]) -> int:
        count = 0
        for heard in self.heard.values():
            firsts = list(dict.fromkeys(heard))
            for at, number in enumerate(firsts):
                count += any(senders[earlier] == senders[number] and earlier > number for earlier in firsts[:at])
        return count


@pytest.mark.slow
@settings(max_examples=300)
@given(
    processes=st.tuples(st.integers(1, 3), st.integers(1, 2)),
    members=st.integers(1, 6),
    senders=st.lists(st.integers(0, 3), max_size=20),
    acked=st.sets(st.integers(0, 19)),
    deliveries=st.lists(st.tuples(st.integers(0, 5), st.lists(st.integers(0, 19), min_size=1)), max_size=60),
)
def test_counts_are_those_of_a_simple_model_however_many_audiences_hold_the_members(
    processes: tuple[int, int],
    members: int,
    senders: list[int],
    acked: set[int],
    deliveries: list[tuple[int, list[int]]],
) -> None:
    audiences, gateways = processes
    histories = [History() for _ in range(audiences)]
    stays = [histories[n % audiences].enter("room", f"g{n % gateways}", 0) for n in range(members)]
    for number, sender in enumerate(senders):
        history = histories[sender % audiences]
        message = say(history, sender, number, at=10 + number)
        if number in acked:
            history.ack(message, 100)
            history.ack(message, 101)  # an ack counts once
    truth = Truth({member: [] for member in range(members)})
    for member, numbers in deliveries:
        known = [number for number in numbers if number < len(senders)]
        if member >= members or not known:
            continue
        room = histories[member % audiences].room("room")
        heard = (room.message(message_id(senders[number], number), 10 + number) for number in known)
        stays[member].hear(tuple(heard))
        truth.heard[member] += known
    verdict = verdict_of(*histories)
    known_acked = {number for number in acked if number < len(senders)}
    delivered = sum(len(set(heard)) for heard in truth.heard.values())
    assert verdict == Verdict(
        sent=len(senders),
        acked=len(known_acked),
        expected=members * len(senders),
        delivered=delivered,
        lost=members * len(senders) - delivered,
        lost_acked=sum(len(known_acked - set(heard)) for heard in truth.heard.values()),
        duplicated=truth.duplicated(),
        reordered=truth.reordered(senders),
    )


def test_the_end_of_what_a_broken_connection_carried_is_lost_in_the_break_but_a_gap_before_it_is_not() -> None:
    history = History()
    staying, broken = room_of(history, 2)
    for sequence in range(6):
        message = say(history, 0, sequence, at=10 + sequence)
        history.ack(message, 12 + sequence)
        deliver(staying, message, 13 + sequence)
        if sequence in (0, 2, 3):  # 1 is a gap; 4 and 5 were still on their way
            deliver(broken, message, 13 + sequence)
    broken.left_ns, broken.broken = 100, True
    verdict = verdict_of(history)
    assert (verdict.lost, verdict.lost_acked, verdict.lost_in_break) == (3, 3, 2)


S = 1_000_000_000


def test_only_what_had_settled_shortly_before_the_break_was_in_the_connection() -> None:
    """As of a gateway that stood still for four seconds and was killed then."""
    history = History()
    staying, broken = room_of(history, 2)
    for sequence in range(40):
        at_ns = 1 + sequence * S // 10
        message = say(history, 0, sequence, at=at_ns)
        history.ack(message, at_ns)
        deliver(staying, message, at_ns)
    broken.left_ns, broken.broken = 4 * S, True
    verdict = verdict_of(history)
    assert (verdict.lost_acked, verdict.lost_in_break) == (40, 10)


def test_messages_of_others_may_have_overtaken_what_was_in_the_connection() -> None:
    history = History()
    staying, broken = room_of(history, 2)
    slow, fast = say(history, 0, 0, at=10), say(history, 1, 0, at=11)
    for message in (slow, fast):
        history.ack(message, 12)
        deliver(staying, message, 13)
    deliver(broken, fast, 12)
    broken.left_ns, broken.broken = 14, True
    assert (verdict_of(history).lost_acked, verdict_of(history).lost_in_break) == (1, 1)


def spoken(history: History, seconds: int, *, heard_by: list[Stay], acked: bool = True, since: int = 0) -> None:
    """Ten messages a second."""
    for sequence in range(10 * since, 10 * seconds):
        message = say(history, 0, sequence, at=sequence * S // 10)
        if acked:
            history.ack(message, sequence * S // 10)
        for stay in heard_by:
            deliver(stay, message, sequence * S // 10)


def test_what_a_gateway_that_stands_still_owes_at_the_end_is_not_drained_and_not_lost() -> None:
    history = History()
    here, there = history.enter("room", "g1", 0), history.enter("room", "g2", 0)
    spoken(history, 10, heard_by=[here, there])
    spoken(history, 12, heard_by=[here], since=10)
    verdict = verdict_of(history)
    assert (verdict.expected, verdict.delivered, verdict.lost, verdict.not_drained) == (240, 220, 0, 20)


def test_a_gateway_that_fell_silent_long_before_the_end_has_lost_what_was_said_then() -> None:
    history = History()
    here, there = history.enter("room", "g1", 0), history.enter("room", "g2", 0)
    spoken(history, 5, heard_by=[here, there])
    spoken(history, 20, heard_by=[here], since=5)
    verdict = verdict_of(history)
    assert (verdict.lost, verdict.not_drained) == (49, 101)  # ten seconds, with both ends


def test_who_loses_at_random_loses_at_the_end_as_well() -> None:
    """As naive does: of every other message nothing is owed any more, and the last few are no silence."""
    history = History()
    here, there = history.enter("room", "g1", 0), history.enter("room", "g2", 0)
    for sequence in range(100):
        message = say(history, 0, sequence, at=sequence * S // 10)
        history.ack(message, sequence * S // 10)
        deliver(here, message, sequence * S // 10)
        if sequence % 2 and sequence < 90:
            deliver(there, message, sequence * S // 10)
    assert (verdict_of(history).lost, verdict_of(history).not_drained) == (55, 0)


def test_what_has_no_answer_yet_is_not_drained_until_none_can_come() -> None:
    history = History()
    room_of(history, 2)
    message = say(history, 0, 0, at=10)
    message.waits = True
    assert (verdict_of(history).lost, verdict_of(history).not_drained) == (0, 2)
    message.waits = False
    assert (verdict_of(history).lost, verdict_of(history).not_drained) == (2, 0)


def test_of_one_who_left_by_itself_nothing_is_lost_in_a_break() -> None:
    history = History()
    staying, leaving = room_of(history, 2)
    message = say(history, 0, 0, at=10)
    history.ack(message, 11)
    deliver(staying, message, 12)
    leaving.left_ns = 100
    assert (verdict_of(history).lost_acked, verdict_of(history).lost_in_break) == (1, 0)


def come_back(history: History, before: Stay, left: int, joined: int, *, told: bool) -> Stay:
    before.left_ns = left
    stay = history.enter("room", "another", joined)
    stay.before, stay.asked, stay.resumed = before, True, told
    return stay


def tell(stay: Stay, *messages: Message) -> None:
    """What it missed, as it asked for it."""
    for message in messages:
        deliver(stay, message, stay.joined_ns + 1)
    stay.told += len(messages)


def test_who_is_told_what_was_said_meanwhile_is_owed_it() -> None:
    history = History()
    (before,) = room_of(history, 1)
    messages = [say(history, 0, sequence, at=10 * sequence) for sequence in range(1, 7)]
    deliver(before, messages[0], 11)
    after = come_back(history, before, left=25, joined=45, told=True)
    tell(after, *messages[:3])  # the fourth was never told; the first was known
    for message in messages[4:]:
        deliver(after, message, 61)
    assert verdict_of(history) == Verdict(
        sent=6, expected=6, delivered=5, lost=1, came_again=1, returns=1, away=2, missed=1, repeated=1
    )


def test_who_is_told_nothing_is_owed_nothing_and_has_missed_it_all() -> None:
    history = History()
    (before,) = room_of(history, 1)
    messages = [say(history, 0, sequence, at=10 * sequence) for sequence in range(1, 7)]
    for message in messages[:2]:
        deliver(before, message, 21)
    after = come_back(history, before, left=25, joined=45, told=False)
    for message in messages[4:]:
        deliver(after, message, 61)
    verdict = verdict_of(history)
    assert (verdict.expected, verdict.delivered, verdict.lost) == (4, 4, 0)
    assert (verdict.returns, verdict.away, verdict.missed) == (1, 2, 2)


def test_what_was_heard_before_and_is_heard_again_after_a_return_is_no_duplicate() -> None:
    history = History()
    (before,) = room_of(history, 1)
    first, second = say(history, 0, 0, at=10), say(history, 0, 1, at=20)
    deliver(before, first, 11)
    after = come_back(history, before, left=12, joined=15, told=True)
    tell(after, first)
    for message in (second, second):
        deliver(after, message, 21)
    again = come_back(history, after, left=30, joined=35, told=True)
    tell(again, second)
    verdict = verdict_of(history)
    assert (verdict.delivered, verdict.duplicated, verdict.repeated, verdict.returns) == (2, 1, 2, 2)


def test_what_comes_again_unasked_after_a_return_is_a_duplicate_on_return() -> None:
    history = History()
    (before,) = room_of(history, 1)
    messages = [say(history, 0, sequence, at=10 + sequence) for sequence in range(3)]
    for message in messages[:2]:
        deliver(before, message, 20)
    before.left_ns = 30
    after = history.enter("room", "another", 40)
    after.before = before
    for message in messages:  # two of them again; the third only now
        deliver(after, message, 41)
    verdict = verdict_of(history)
    assert (verdict.delivered, verdict.duplicated, verdict.duplicated_on_return) == (2, 0, 2)
    assert (verdict.came_again, verdict.returns, verdict.repeated) == (1, 0, 0)


def test_what_is_told_again_since_somebody_asked_is_repeated_and_what_comes_after_that_a_duplicate() -> None:
    history = History()
    (before,) = room_of(history, 1)
    first, second = say(history, 0, 0, at=10), say(history, 0, 1, at=11)
    for message in (first, second):
        deliver(before, message, 12)
    after = come_back(history, before, left=20, joined=30, told=True)
    tell(after, second)
    deliver(after, first, 32)
    verdict = verdict_of(history)
    assert (verdict.delivered, verdict.repeated, verdict.duplicated_on_return, verdict.duplicated) == (2, 1, 1, 0)


class Visit(NamedTuple):
    """A stay in steps of 100 s, in which one message is said each, by one who is always there and hears all."""

    steps: int
    away: int  # before it
    heard: set[int]  # of all messages, by the step in which they are said: some before it came, or again
    copies: set[int]


visits = st.lists(
    st.builds(Visit, st.integers(1, 4), st.integers(1, 3), st.sets(st.integers(0, 19)), st.sets(st.integers(0, 19))),
    min_size=1,
    max_size=4,
)


@pytest.mark.slow
@settings(max_examples=300)
@given(members=st.lists(visits, max_size=3), refused=st.sets(st.integers(0, 19)))
def test_counts_of_members_who_come_and_go_are_those_of_a_simple_model(
    members: list[list[Visit]], refused: set[int]
) -> None:
    history = History()
    (host,) = room_of(history, 1)
    said = [say(history, 0, step, at=(100 * step + 50) * S) for step in range(20)]
    for step, message in enumerate(said):
        if step in refused:
            message.over_ns = (100 * step + 51) * S
        else:
            history.ack(message, (100 * step + 51) * S)
            deliver(host, message, (100 * step + 51) * S)
    expected = Verdict(sent=20, acked=20 - len(refused), expected=20, delivered=20 - len(refused), lost=len(refused))
    for stays in members:
        before, known, begins = None, set[int](), 0
        for visit in stays:
            begins += visit.away if before else 0
            ends = begins + visit.steps
            stay = history.enter("room", "g2", 100 * begins * S)
            stay.left_ns, stay.before = 100 * ends * S, before
            # Nothing is heard before it is said, and who is gone hears nothing.
            heard = sorted(step for step in visit.heard if step < ends)
            for step in heard:
                stay.hear((said[step],) * (2 if step in visit.copies else 1))
            owed = set(range(begins, min(ends, 20)))
            expected += Verdict(
                expected=len(owed),
                delivered=len(owed & set(heard)),
                lost=len(owed - set(heard)),
                lost_acked=len(owed - set(heard) - refused),
                duplicated=len(visit.copies & set(heard)),
                came_again=before is not None,
                duplicated_on_return=len(known & set(heard)),
                neither=len(set(heard) - owed - known),
            )
            before, known, begins = stay, known | set(heard), ends
    assert verdict_of(history) == expected


def test_what_was_said_before_somebody_first_came_is_not_out_of_order_when_it_is_told_later() -> None:
    history = History()
    early = say(history, 0, 0, at=5)
    (before,) = room_of(history, 1)
    before.joined_ns = 7
    second, third = say(history, 0, 1, at=10), say(history, 0, 2, at=20)
    deliver(before, second, 11)
    after = come_back(history, before, left=12, joined=25, told=True)
    tell(after, early, second, third)
    verdict = verdict_of(history)
    assert (verdict.expected, verdict.delivered, verdict.reordered, verdict.repeated) == (2, 2, 0, 2)
