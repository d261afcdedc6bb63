"""The frames between a member and a gateway: JSON text, one object per frame (see docs/contract.md)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import msgspec

ROOM_CHARS_MAX = 200
TEXT_CHARS_MAX = 1_000_000  # the gateway's limit on the size of a frame is lower

Room = Annotated[str, msgspec.Meta(min_length=1, max_length=ROOM_CHARS_MAX)]
# Ids stay exact in every JSON reader, JavaScript's 53-bit numbers included.
MessageId = Annotated[int, msgspec.Meta(ge=0, lt=2**53)]
Nanoseconds = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]


class Join(msgspec.Struct, tag_field="t", tag="join", frozen=True, omit_defaults=True):
    """The member asks to join a room."""

    room: Room
    after: Nanoseconds | None = None  # ask for the messages since that moment too, in ns since the epoch


class Leave(msgspec.Struct, tag_field="t", tag="leave", frozen=True):
    """The member leaves a room; there is no answer."""

    room: Room


class Say(msgspec.Struct, tag_field="t", tag="say", frozen=True, omit_defaults=True):
    """The member sends a message to a room that it is in; the answer is an `ack` or an `error`."""

    room: Room
    id: MessageId  # chosen by the member; it is repeated in the answer and in every `chat`
    text: Annotated[str, msgspec.Meta(max_length=TEXT_CHARS_MAX)]
    sent: Nanoseconds | None = None  # the intended moment of sending, in ns since the epoch; passed on unchanged


class Joined(msgspec.Struct, tag_field="t", tag="joined", frozen=True, omit_defaults=True):
    """The member is in the room and receives its messages from now on."""

    room: str
    missed: int | None = None  # how many `chat` frames of history since `after` follow; null: no history is kept
    incomplete: bool = False  # whether some of the history since `after` is missing


class Redirect(msgspec.Struct, tag_field="t", tag="redirect", frozen=True):
    """Another gateway serves the room: connect there, and join again."""

    room: str
    url: str  # the address of that gateway


class Ack(msgspec.Struct, tag_field="t", tag="ack", frozen=True):
    """The backend has accepted the message."""

    id: int  # the id of the message


class Chat(msgspec.Struct, tag_field="t", tag="chat", frozen=True, rename={"sender": "from"}):
    """A message from a room that the member is in."""

    room: str
    sender: str  # the name that the gateway gave to the sender
    id: int  # the sender's `id`, unchanged
    sent: int | None  # the sender's `sent`, unchanged
    text: str


class Error(msgspec.Struct, tag_field="t", tag="error", frozen=True, omit_defaults=True):
    """The gateway refused what the member asked for."""

    code: str  # the reason for programs
    reason: str  # the reason for people
    id: int | None = None  # the id of the refused message, if the error is about one


ClientFrame = Join | Leave | Say
GatewayFrame = Joined | Redirect | Ack | Chat | Error

encode = msgspec.json.Encoder().encode
decode_client_frame: Callable[[str | bytes], ClientFrame] = msgspec.json.Decoder(ClientFrame).decode
decode_gateway_frame: Callable[[str | bytes], GatewayFrame] = msgspec.json.Decoder(GatewayFrame).decode
