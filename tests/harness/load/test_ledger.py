from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

from harness.load.ledger import Ledger, Message, Stay, Verdict, message_id


def say(ledger: Ledger, sender: int, sequence: int, at: int) -> Message:
    return ledger.say(message_id(sender, sequence), "room", intended_ns=at, sent_ns=at)


def room_of(ledger: Ledger, members: int) -> list[Stay]:
    return [ledger.enter("room", 0) for _ in range(members)]


def test_everything_delivered_once_is_a_clean_verdict() -> None:
    ledger = Ledger()
    stays = room_of(ledger, 3)
    for sequence in range(20):
        message = say(ledger, 0, sequence, at=10 + sequence)
        ledger.ack(message, 11 + sequence)
        assert all(stay.deliver(message, 12 + sequence) for stay in stays)
    assert ledger.verdict() == Verdict(
        sent=20, acked=20, expected=60, delivered=60, lost=0, lost_acked=0, duplicated=0, reordered=0, neither=0
    )


def test_lost_though_acked_is_told_from_lost_and_never_acked() -> None:
    ledger = Ledger()
    (stay, _deaf) = room_of(ledger, 2)
    for sequence in range(3):
        message = say(ledger, 0, sequence, at=10)
        stay.deliver(message, 11)
        if sequence < 2:
            ledger.ack(message, 11)
    verdict = ledger.verdict()
    assert (verdict.expected, verdict.delivered, verdict.lost, verdict.lost_acked) == (6, 3, 3, 2)


def test_each_delivery_beyond_the_first_is_a_duplicate_and_not_a_delivery() -> None:
    ledger = Ledger()
    (stay,) = room_of(ledger, 1)
    message = say(ledger, 0, 0, at=10)
    assert [stay.deliver(message, 11) for _ in range(3)] == [True, False, False]
    verdict = ledger.verdict()
    assert (verdict.delivered, verdict.duplicated) == (1, 2)


def test_order_is_per_sender() -> None:
    ledger = Ledger()
    (stay,) = room_of(ledger, 1)
    first, second = say(ledger, 1, 0, at=10), say(ledger, 1, 1, at=11)
    other = say(ledger, 2, 0, at=12)
    for message in (other, second, first):
        stay.deliver(message, 20)
    assert ledger.verdict().reordered == 1  # `first` after `second`; nothing is owed between senders


def test_a_duplicate_of_an_old_message_is_not_out_of_order() -> None:
    ledger = Ledger()
    (stay,) = room_of(ledger, 1)
    first, second = say(ledger, 1, 0, at=10), say(ledger, 1, 1, at=11)
    for message in (first, second, first):
        stay.deliver(message, 20)
    assert (ledger.verdict().reordered, ledger.verdict().duplicated) == (0, 1)


def test_what_was_in_flight_while_a_member_joined_or_left_counts_as_neither() -> None:
    ledger = Ledger()
    (listener,) = room_of(ledger, 1)
    before_join = say(ledger, 0, 0, at=10)
    late = ledger.enter("room", 20)
    late.deliver(before_join, 21)  # said before, heard after
    in_flight = say(ledger, 0, 1, at=30)
    late.left_ns = 31  # left before anybody had it
    for message in (before_join, in_flight):
        listener.deliver(message, 40)
    verdict = ledger.verdict()
    assert (verdict.expected, verdict.delivered, verdict.lost, verdict.neither) == (2, 2, 0, 2)


def test_what_had_settled_before_a_member_left_is_lost_if_it_did_not_arrive() -> None:
    ledger = Ledger()
    listener, leaver = room_of(ledger, 2)
    message = say(ledger, 0, 0, at=10)
    ledger.ack(message, 11)
    listener.deliver(message, 12)
    leaver.left_ns = 50
    assert ledger.verdict().lost_acked == 1


def test_rooms_are_judged_apart() -> None:
    ledger = Ledger()
    here, there = ledger.enter("here", 0), ledger.enter("there", 0)
    message = ledger.say(message_id(0, 0), "here", 10, 10)
    here.deliver(message, 11)
    assert there.seen_mask() == 0
    assert (ledger.verdict().expected, ledger.verdict().lost) == (1, 0)


@dataclass
class Truth:
    """The same bookkeeping with sets, too slow to measure with and too simple to be wrong."""

    heard: dict[int, set[int]] = field(default_factory=dict)
    duplicated: int = 0


@settings(max_examples=200)
@given(
    members=st.integers(1, 6),
    senders=st.lists(st.integers(0, 3), max_size=40),
    acked=st.sets(st.integers(0, 39)),
    deliveries=st.lists(st.tuples(st.integers(0, 5), st.integers(0, 39)), max_size=200),
)
def test_counts_are_those_of_a_simple_model(
    members: int, senders: list[int], acked: set[int], deliveries: list[tuple[int, int]]
) -> None:
    ledger = Ledger()
    stays = room_of(ledger, members)
    messages = [say(ledger, sender, number, at=10 + number) for number, sender in enumerate(senders)]
    truth = Truth({member: set() for member in range(members)})
    for number in acked:
        if number < len(messages):
            ledger.ack(messages[number], 100)
            ledger.ack(messages[number], 101)  # an ack counts once
    for member, number in deliveries:
        if member < members and number < len(messages):
            first = stays[member].deliver(messages[number], 200)
            assert first == (number not in truth.heard[member])
            truth.duplicated += not first
            truth.heard[member].add(number)
    verdict = ledger.verdict()
    delivered = sum(len(heard) for heard in truth.heard.values())
    known_acked = {number for number in acked if number < len(messages)}
    assert verdict.sent == len(messages)
    assert verdict.acked == len(known_acked)
    assert verdict.expected == members * len(messages)
    assert verdict.delivered == delivered
    assert verdict.lost == verdict.expected - delivered
    assert verdict.lost_acked == sum(len(known_acked - heard) for heard in truth.heard.values())
    assert verdict.duplicated == truth.duplicated
    assert verdict.neither == 0
