"""What a gateway notes of the messages that pass it."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.core import protocol as wire
from harness.gateway import trace as tracing
from harness.gateway.trace import Trace, identity_of
from harness.ledger.reports import kind_of, message_id, sender_of


def payload(identity: int, *, text: str = "hello", room: str = "r", sent: int | None = 7) -> bytes:
    return wire.encode(wire.Chat(room, "g0-1", identity, sent, text))


@given(st.integers(0, 2**53 - 1), st.text(max_size=30), st.text(min_size=1, max_size=30), st.none() | st.integers(0, 9))
def test_the_id_is_found_whatever_stands_around_it(identity: int, text: str, room: str, sent: int | None) -> None:
    assert identity_of(payload(identity, text=text + '"id":5,', room='"id":6,' + room, sent=sent)) == identity


@pytest.mark.parametrize(
    "other", [b"", b"hello", b'{"id":', b'{"id":x,}', b'{"id":-1,}', b'{"id":12345678901234567890,}', b"\xff\xfe"]
)
def test_what_is_no_chat_frame_is_not_traced(other: bytes) -> None:
    trace = Trace(1)
    assert trace.read(other) is None
    trace.mark(other, "relayed")
    assert trace.take().passages == []


def test_a_message_is_followed_through_the_gateway() -> None:
    trace, identity = Trace(1), message_id(3, 8)
    trace.received(identity)
    trace.accepted(identity)
    trace.mark(payload(identity), "relayed")
    trace.mark(payload(identity), "relayed")  # only the first time counts
    assert trace.read(payload(identity)) == identity
    trace.written([identity], 10, 20)
    (passage,) = trace.take().passages
    assert passage.identity == identity
    assert passage.received_ns is not None
    assert passage.accepted_ns is not None
    assert passage.read_ns is not None
    assert passage.received_ns <= passage.accepted_ns <= passage.marks["relayed"] <= passage.read_ns
    assert (passage.writing_ns, passage.written_ns) == (10, 20)
    assert trace.take().passages == []


def test_a_copy_that_comes_later_changes_nothing() -> None:
    trace, copy = Trace(1), payload(message_id(1, 1))
    assert trace.read(copy) is not None
    assert trace.read(copy) is None


@pytest.mark.parametrize("note", [Trace.received, Trace.accepted])
def test_every_gateway_takes_the_same_messages(note: Callable[[Trace, int], None]) -> None:
    one, other = Trace(10), Trace(10)
    for sequence in range(1000):
        note(one, message_id(5, sequence))
        other.read(payload(message_id(5, sequence)))
    taken = [{each.identity for each in trace.take().passages} for trace in (one, other)]
    assert taken[0] == taken[1]
    assert 70 < len(taken[0]) < 130


@pytest.mark.parametrize("one_in", [2, 16, 100])
def test_every_sender_has_its_share_however_few_messages_it_sends(one_in: int) -> None:
    trace = Trace(one_in)
    for sender in range(1000):
        for sequence in range(3, 13):
            for kind in (0, 1):
                trace.received(message_id(sender, sequence, kind))
    taken = [each.identity for each in trace.take().passages]
    assert len(taken) == pytest.approx(20_000 / one_in, rel=0.25)
    assert sum(kind_of(identity) for identity in taken) == pytest.approx(len(taken) / 2, rel=0.25)
    by_chance = 1000 * (1 - math.exp(-len(taken) / 1000))  # senders, if each message were taken or not by a coin
    assert len({sender_of(identity) for identity in taken}) > 0.8 * by_chance


def test_what_is_sent_again_was_received_the_first_time() -> None:
    trace = Trace(1)
    trace.received(1)
    (first,) = trace.take().passages
    trace.received(1)
    (again,) = trace.take().passages
    trace.received(2)
    trace.received(2)
    (twice,) = trace.take().passages
    assert first.received_ns is not None
    assert again.received_ns is not None
    assert first.received_ns <= again.received_ns
    assert twice.received_ns is not None


@pytest.mark.parametrize("name", ["backend", "waiting", "total"])
def test_a_mark_that_has_the_name_of_a_stage_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="which is the name of a stage; choose another one"):
        Trace(1).mark(payload(1), name)


def test_what_nobody_asks_for_is_forgotten_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracing, "KEPT_MAX", 3)
    trace = Trace(1)
    for sequence in range(5):
        trace.received(message_id(1, sequence))
    told = trace.take()
    assert [each.identity for each in told.passages] == [message_id(1, sequence) for sequence in (2, 3, 4)]
    assert told.forgotten == 2
    assert trace.take().forgotten == 0
