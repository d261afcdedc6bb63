"""The frames between a member and a gateway: JSON text, one object a frame (contract, design section 4)."""

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
    """With `after` the member has been there before, and asks for what was said since that moment."""

    room: Room
    after: Nanoseconds | None = None


class Leave(msgspec.Struct, tag_field="t", tag="leave", frozen=True):
    room: Room


class Say(msgspec.Struct, tag_field="t", tag="say", frozen=True, omit_defaults=True):
    room: Room
    id: MessageId
    text: Annotated[str, msgspec.Meta(max_length=TEXT_CHARS_MAX)]
    sent: Nanoseconds | None = None


class Joined(msgspec.Struct, tag_field="t", tag="joined", frozen=True, omit_defaults=True):
    """The answer to a join with `after`: so many chat frames of the room follow, of what was said since.

    They come before any other of that room; some the member may have seen. `missed` is left out where nothing was
    asked for, or nothing is kept. Where not everything could be had, `incomplete` says so.
    """

    room: str
    missed: int | None = None
    incomplete: bool = False


class Redirect(msgspec.Struct, tag_field="t", tag="redirect", frozen=True):
    room: str
    url: str


class Ack(msgspec.Struct, tag_field="t", tag="ack", frozen=True):
    id: int


class Chat(msgspec.Struct, tag_field="t", tag="chat", frozen=True, rename={"sender": "from"}):
    room: str
    sender: str
    id: int
    sent: int | None
    text: str


class Error(msgspec.Struct, tag_field="t", tag="error", frozen=True, omit_defaults=True):
    """`id` names the message that was refused, where the error is about one."""

    code: str
    reason: str
    id: int | None = None


ClientFrame = Join | Leave | Say
GatewayFrame = Joined | Redirect | Ack | Chat | Error

encode = msgspec.json.Encoder().encode
decode_client_frame: Callable[[str | bytes], ClientFrame] = msgspec.json.Decoder(ClientFrame).decode
decode_gateway_frame: Callable[[str | bytes], GatewayFrame] = msgspec.json.Decoder(GatewayFrame).decode
