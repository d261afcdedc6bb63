"""What a gateway notes of the messages that pass it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.core import protocol as wire
from harness.gateway import trace as tracing
from harness.gateway.trace import Trace, identity_of
from harness.ledger.reports import message_id


def payload(identity: int, *, text: str = "hello", room: str = "r", sent: int | None = 7) -> bytes:
    return wire.encode(wire.Chat(room, "g0-1", identity, sent, text))


@given(st.integers(0, 2**53 - 1), st.text(max_size=30), st.text(min_size=1, max_size=30), st.none() | st.integers(0, 9))
def test_the_id_is_found_whatever_stands_around_it(identity: int, text: str, room: str, sent: int | None) -> None:
    assert identity_of(payload(identity, text=text + '"id":5,', room='"id":6,' + room, sent=sent)) == identity


@pytest.mark.parametrize("other", [b"", b"hello", b'{"id":', b'{"id":x,}', b'{"id":-1,}', b"\xff\xfe"])
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
    assert len(taken[0]) == 100


def test_what_nobody_asks_for_is_forgotten_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracing, "KEPT_MAX", 3)
    trace = Trace(1)
    for sequence in range(5):
        trace.received(message_id(1, sequence))
    told = trace.take()
    assert [each.identity for each in told.passages] == [message_id(1, sequence) for sequence in (2, 3, 4)]
    assert told.forgotten == 2
    assert trace.take().forgotten == 0
