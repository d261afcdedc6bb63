"""A connection to a gateway that speaks Socket.IO. Each of chatbench's frames is an event named `frame`.

Source: the Engine.IO protocol, revision 4, and the Socket.IO protocol, revision 5. Packets are text and begin with
their type, and each WebSocket frame carries one. Binary events and acknowledgements are not used here.
"""

from __future__ import annotations

from collections.abc import Callable

from harness.audience.websocket import Connection

SCHEME = "socket.io"
PATH = "/socket.io/?EIO=4&transport=websocket"
OPEN, PING, PONG = b"0", b"2", b"3"  # Engine.IO packet types
CONNECT, CONNECT_ERROR, EVENT = b"40", b"44", b"42"  # Engine.IO's message type, then the Socket.IO packet type
FRAME = EVENT + b'["frame",'


class SocketIoConnection(Connection):
    """A Connection whose address is socket.io://HOST:PORT."""

    __slots__ = ()

    def __init__(
        self,
        url: str,
        knows: Callable[[bytes], bool],
        hear: Callable[[list[bytes], list[bytes]], None],
        closed: Callable[[str, int | None], None],
    ) -> None:
        super().__init__(url.replace(SCHEME, "ws", 1) + PATH, knows, hear, closed)

    def send(self, text: bytes) -> None:
        super().send(FRAME + text + b"]")

    def _websocket_open(self) -> None:
        """Do nothing yet: the connection is ready after Engine.IO's OPEN and a CONNECT in both directions."""

    def _take(self, frames: list[bytes], texts: list[bytes]) -> None:
        ours = [text.startswith(FRAME) for text in texts]
        for text, is_ours in zip(texts, ours, strict=True):
            if not is_ours:
                self._obey_packet(text)
        if any(ours):
            super()._take(
                [frame for frame, is_ours in zip(frames, ours, strict=True) if is_ours],
                [text[len(FRAME) : -1] for text, is_ours in zip(texts, ours, strict=True) if is_ours],
            )

    def _obey_packet(self, text: bytes) -> None:
        if text.startswith(PING):
            super().send(PONG + text[1:])
        elif text.startswith(OPEN):
            super().send(CONNECT)
        elif text.startswith(CONNECT):
            self._ready()
        elif text.startswith(CONNECT_ERROR):
            self._fail(f"Socket.IO did not let the member in: {text[2:].decode(errors='replace')}")
        else:
            self._fail(f"a packet of Socket.IO began with {text[:2]!r}, which is not expected here")


def connection_to(
    url: str,
    knows: Callable[[bytes], bool],
    hear: Callable[[list[bytes], list[bytes]], None],
    closed: Callable[[str, int | None], None],
) -> Connection:
    """Return a connection, not open yet, that speaks the protocol of the URL's scheme."""
    kind = SocketIoConnection if url.startswith(f"{SCHEME}:") else Connection
    return kind(url, knows, hear, closed)
