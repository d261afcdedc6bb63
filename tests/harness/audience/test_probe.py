"""The probe sends test messages until every member that is still there hears every gateway."""

from __future__ import annotations

import time

from harness.audience.probe import PROBE_BASE, RunningProbe
from harness.core import protocol as wire


class Member:
    """Stands in for a socket: keeps what it was to say."""

    def __init__(self, number: int, url: str, *rooms: str) -> None:
        self.number = number
        self.url = url
        self.rooms = rooms
        self.said: list[wire.Say] = []

    def send(self, frame: wire.ClientFrame) -> None:
        assert isinstance(frame, wire.Say)
        self.said.append(frame)


def chat(said: wire.Say) -> wire.Chat:
    return wire.Chat(said.room, "g0-1", said.id, said.sent, said.text)


def test_a_probe_is_complete_when_all_members_have_heard_every_gateway_and_all_messages_are_answered() -> None:
    here, there = Member(0, "a", "r"), Member(1, "b", "r")
    probe = RunningProbe([here, there], fragments=False)
    probe.say_round()
    said = [here.said[0], there.said[0]]
    assert all(each.id >= PROBE_BASE and (each.sent or 0) <= time.time_ns() for each in said)
    for each in said:
        assert not probe.complete.is_set()
        probe.heard(here, chat(each))
        probe.heard(there, chat(each))
    assert probe.complete.is_set()
    assert not probe.all_answered.is_set()
    for each in said:
        probe.answered(each.id)
    assert probe.all_answered.is_set()
    assert probe.problem() is None


def test_with_fragments_any_message_heard_is_enough() -> None:
    here, there = Member(0, "a", "r"), Member(1, "b", "r")
    probe = RunningProbe([here, there], fragments=True)
    probe.say_round()
    probe.heard(here, chat(there.said[0]))
    probe.heard(there, chat(there.said[0]))
    assert probe.complete.is_set()


def test_a_member_that_does_not_hear_is_named() -> None:
    here, there = Member(0, "a", "r"), Member(1, "b", "r")
    probe = RunningProbe([here, there], fragments=False)
    probe.say_round()
    probe.heard(here, chat(here.said[0]))
    assert "member 0 in r did not hear the gateway b" in str(probe.problem())


def test_the_probe_does_not_wait_for_a_member_that_has_left_or_for_answers_to_its_messages() -> None:
    here, there = Member(0, "a", "r"), Member(1, "b", "r")
    probe = RunningProbe([here, there], fragments=False)
    probe.say_round()
    probe.left(there, "r")
    probe.left(there, "r")  # once is enough
    probe.heard(here, chat(here.said[0]))
    probe.answered(here.said[0].id)
    assert probe.all_answered.is_set()


def test_another_member_speaks_after_the_speaker_has_left() -> None:
    first, second, there = Member(0, "a", "r"), Member(1, "a", "r"), Member(2, "b", "r")
    probe = RunningProbe([first, second, there], fragments=False)
    probe.left(first, "r")
    probe.say_round()
    assert (first.said, len(second.said), len(there.said)) == ([], 1, 1)
