"""The frames between a member and a gateway: JSON text, one object a frame (see docs/contract.md)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import msgspec

ROOM_CHARS_MAX = 200
TEXT_CHARS_MAX = 1_000_000  # the message size limit of the gateway is what really bounds a text

Room = Annotated[str, msgspec.Meta(min_length=1, max_length=ROOM_CHARS_MAX)]
# Ids stay exact in every JSON reader, JavaScript's 53-bit numbers included.
MessageId = Annotated[int, msgspec.Meta(ge=0, lt=2**53)]
Nanoseconds = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]


class Join(msgspec.Struct, tag_field="t", tag="join", frozen=True, omit_defaults=True):
    """Asks to come into a room."""

    room: Room
    after: Nanoseconds | None = None  # asks also for what was said there since that moment, in ns since the epoch


class Leave(msgspec.Struct, tag_field="t", tag="leave", frozen=True):
    """Leaves a room; there is no answer."""

    room: Room


class Say(msgspec.Struct, tag_field="t", tag="say", frozen=True, omit_defaults=True):
    """Says something in a room that the member is in; the answer is an `ack` or an `error`."""

    room: Room
    id: MessageId  # the member's own choice; it comes back in the answer and in every `chat`
    text: Annotated[str, msgspec.Meta(max_length=TEXT_CHARS_MAX)]
    sent: Nanoseconds | None = None  # when it was meant to be sent, in ns since the epoch; handed on as it is


class Joined(msgspec.Struct, tag_field="t", tag="joined", frozen=True, omit_defaults=True):
    """The member is in the room, and hears what is said there from now on."""

    room: str
    missed: int | None = None  # so many frames of what was said since `after` follow first; null: nothing is kept
    incomplete: bool = False  # not all of what was said since could be had


class Redirect(msgspec.Struct, tag_field="t", tag="redirect", frozen=True):
    """Another gateway serves the room: connect there, and join again."""

    room: str
    url: str  # of that gateway


class Ack(msgspec.Struct, tag_field="t", tag="ack", frozen=True):
    """The backend has accepted the message."""

    id: int  # of the message


class Chat(msgspec.Struct, tag_field="t", tag="chat", frozen=True, rename={"sender": "from"}):
    """Something was said in a room that the member is in."""

    room: str
    sender: str  # the gateway's name for whoever said it
    id: int  # as its sender chose it
    sent: int | None  # as its sender gave it
    text: str


class Error(msgspec.Struct, tag_field="t", tag="error", frozen=True, omit_defaults=True):
    """What the member asked for was not done."""

    code: str  # for programs
    reason: str  # for people
    id: int | None = None  # of the message that was refused, if it is about one


ClientFrame = Join | Leave | Say
GatewayFrame = Joined | Redirect | Ack | Chat | Error

encode = msgspec.json.Encoder().encode
decode_client_frame: Callable[[str | bytes], ClientFrame] = msgspec.json.Decoder(ClientFrame).decode
decode_gateway_frame: Callable[[str | bytes], GatewayFrame] = msgspec.json.Decoder(GatewayFrame).decode
