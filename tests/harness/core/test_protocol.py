import contextlib

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.core import protocol as wire

ROOMS = st.text(min_size=1, max_size=wire.ROOM_CHARS_MAX)


@given(ROOMS, st.integers(0, 2**53 - 1), st.text(), st.none() | st.integers(0, 2**63 - 1))
def test_what_a_member_says_reads_the_same_at_the_gateway(
    room: str, identity: int, text: str, sent: int | None
) -> None:
    said = wire.Say(room, identity, text, sent)
    assert wire.decode_client_frame(wire.encode(said)) == said


@given(ROOMS, st.text(), st.integers(0, 2**53 - 1), st.none() | st.integers(), st.text())
def test_a_chat_frame_carries_the_contracts_keys(
    room: str, sender: str, identity: int, sent: int | None, text: str
) -> None:
    frame = msgspec.json.decode(wire.encode(wire.Chat(room, sender, identity, sent, text)))
    assert frame == {"t": "chat", "room": room, "from": sender, "id": identity, "sent": sent, "text": text}


@pytest.mark.parametrize(
    "frame",
    [
        "",
        "[]",
        "null",
        '{"t":"shout"}',
        '{"t":"join"}',
        '{"t":"join","room":""}',
        '{"t":"join","room":7}',
        '{"t":"say","room":"r","id":"1","text":"x"}',
        '{"t":"say","room":"r","id":-1,"text":"x"}',
        '{"t":"say","room":"r","id":9007199254740992,"text":"x"}',
        '{"t":"say","room":"r","id":1}',
        '{"t":"joined","room":"r"}',
    ],
)
def test_what_is_no_frame_of_a_member_is_refused(frame: str) -> None:
    with pytest.raises(msgspec.DecodeError):
        wire.decode_client_frame(frame)


@given(st.binary(max_size=200))
def test_random_bytes_raise_nothing_but_a_decode_error(noise: bytes) -> None:
    with contextlib.suppress(msgspec.DecodeError):
        wire.decode_client_frame(noise)
