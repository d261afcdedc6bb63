"""The life of each message, as the ledger tells it."""

from __future__ import annotations

from harness.audience.history import History, Message
from harness.audience.phase_stats import note_heard
from harness.ledger.judge import judge
from harness.ledger.message_times import COLUMNS, NEVER, MessageTimes
from harness.ledger.reports import message_id

START_NS = 1_000


def times_of(*histories: History) -> MessageTimes:
    return MessageTimes.of(judge([room for each in histories for room in each.report()]).fates, START_NS)


def row(times: MessageTimes, number: int) -> dict[str, int]:
    return dict(zip(COLUMNS, times.table[:, number].tolist(), strict=True))


def say(history: History, sequence: int, intended_ns: int, room: str = "room") -> Message:
    return history.say(message_id(7, sequence), room, intended_ns, intended_ns + 5)


def test_a_message_has_the_first_and_the_last_moment_of_all_audiences_and_all_their_members() -> None:
    here, there = History(), History()
    stays = [history.enter("room", "gateway", 0) for history in (here, here, there)]
    message = say(here, 0, 2_000)
    message.acked_ns = 2_300
    heard_there = there.room("room").message(message.identity, 2_000)
    for stay, known, heard_ns in zip(stays, (message, message, heard_there), (2_100, 2_050, 2_400), strict=True):
        stay.hear((known,))
        note_heard(known, heard_ns, heard_ns)
    assert row(times_of(here, there), 0) == {
        "room": 0,
        "identity": message_id(7, 0),
        "intended_ns": 1_000,
        "sent_ns": 1_005,
        "acked_ns": 1_300,
        "first_heard_ns": 1_050,
        "last_heard_ns": 1_400,
        "heard_by": 3,
    }
    assert times_of(there, here).latencies_ns().tolist() == [400]


def test_what_never_came_is_never_and_not_a_moment() -> None:
    history = History()
    history.enter("room", "gateway", 0)
    say(history, 0, 2_000)
    times = times_of(history)
    assert [row(times, 0)[name] for name in ("acked_ns", "first_heard_ns", "last_heard_ns")] == [NEVER] * 3
    assert row(times, 0)["heard_by"] == 0
    assert len(times.latencies_ns()) == 0


def test_a_member_that_heard_a_message_before_and_after_it_was_away_counts_once() -> None:
    history = History()
    first = history.enter("room", "gateway", 0)
    message = say(history, 0, 2_000)
    first.hear((message,))
    first.left_ns = 2_100
    second = history.enter("room", "gateway", 2_200)
    second.before = first
    second.hear((message,))
    assert row(times_of(history), 0)["heard_by"] == 1


def test_messages_of_all_rooms_are_in_the_order_of_their_intended_times() -> None:
    history = History()
    for sequence, (intended_ns, room) in enumerate([(3_000, "a"), (2_000, "b"), (4_000, "b")]):
        say(history, sequence, intended_ns, room)
    times = times_of(history)
    assert [times.rooms[room] for room in times.column("room")] == ["b", "a", "b"]
    assert times.column("intended_ns").tolist() == [1_000, 2_000, 3_000]


def test_a_long_table_is_thinned_evenly() -> None:
    history = History()
    for sequence in range(10):
        say(history, sequence, 2_000 + sequence)
    times = times_of(history)
    assert times.thinned(10) == times
    thinned = times.thinned(4)
    assert thinned.column("intended_ns").tolist() == [1_000, 1_003, 1_006, 1_009]
    assert thinned.one_in == 3


def test_nothing_said_is_an_empty_table() -> None:
    assert times_of(History()).table.shape == (len(COLUMNS), 0)
    assert times_of().table.shape == (len(COLUMNS), 0)
