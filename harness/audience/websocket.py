"""One WebSocket connection to a gateway, optimized for many connections that receive the same bytes.

The websockets library does the handshake, sending, and control frames. Chat frames are not parsed one by one: the
listener is first asked whether it knows the bytes exactly as they came, because all members of a room get the same.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import cast

from websockets.client import ClientProtocol
from websockets.frames import CloseCode
from websockets.protocol import State
from websockets.uri import parse_uri

from harness.core.token import token_of_environment

FRAME_MAX_BYTES = 16 * 1024 * 1024
TEXT = 0x81  # a whole text frame: FIN and opcode 1
CONTROL = range(0x88, 0x8B)  # close, ping, pong
SLOW_READ_S = 0.1
SLOW_WINDOW_BYTES = 4096
ADDRESS_TIMEOUT_S = 8.0  # for each address, since a name may have several and the first may not answer
HEAD_END = b"\r\n\r\n"


class BadFrame(Exception):
    """The gateway sent a frame that chatbench's wire format does not allow."""


def split_frames(data: bytes) -> tuple[list[tuple[int, int, int]], int]:
    """Return the complete frames as (start, start of the payload, end), and where the incomplete rest begins.

    Raises BadFrame for a masked frame, or for one beyond FRAME_MAX_BYTES.
    """
    frames = []
    start, size = 0, len(data)
    while size - start >= 2:
        length, payload = data[start + 1], start + 2
        if length == 126:
            payload, length = start + 4, int.from_bytes(data[start + 2 : start + 4], "big")
        elif length == 127:
            payload, length = start + 10, int.from_bytes(data[start + 2 : start + 10], "big")
        elif length > 127:
            raise BadFrame("a gateway must not mask its frames")
        if length > FRAME_MAX_BYTES:
            raise BadFrame(f"a frame of {length} bytes is beyond the limit of {FRAME_MAX_BYTES}")
        if payload + length > size:
            break
        frames.append((start, payload, payload + length))
        start = payload + length
    return frames, start


class Connection(asyncio.Protocol):
    """A client's connection. Open it with `connect`."""

    __slots__ = (
        "_between_frames",
        "_closed",
        "_hear",
        "_knows",
        "_opened",
        "_protocol",
        "_rest",
        "_slow_reading",
        "_transport",
    )

    def __init__(
        self,
        url: str,
        knows: Callable[[bytes], bool],
        hear: Callable[[list[bytes], list[bytes]], None],
        closed: Callable[[str, int | None], None],
    ) -> None:
        self._knows = knows  # called with the bytes of each read; True: they were complete frames and were handled
        self._hear = hear  # called with unknown text frames of one read: (whole frames, their payloads)
        self._closed = closed  # called once when an open connection ends: (reason, the gateway's close code)
        self._protocol = ClientProtocol(parse_uri(url))
        self._transport: asyncio.Transport | None = None
        self._rest = b""  # an incomplete handshake answer, later an incomplete frame
        self._between_frames = False
        self._opened: asyncio.Future[None] | None = None  # set only while `connect` waits
        self._slow_reading: asyncio.Task[None] | None = None  # referenced here because the loop does not keep tasks

    # --- opening and closing

    async def connect(
        self, timeout_s: float, local_host: str | None = None, read_bytes_per_s: float | None = None
    ) -> None:
        """Return when the WebSocket is open; raises OSError, TimeoutError or InvalidHandshake.

        With `read_bytes_per_s` it becomes a slow reader, and its kernel buffer is too small to read ahead.
        """
        loop = asyncio.get_running_loop()
        self._opened = loop.create_future()
        uri = self._protocol.uri
        try:
            async with asyncio.timeout(timeout_s):
                window_bytes = None if read_bytes_per_s is None else SLOW_WINDOW_BYTES
                connected = await connected_socket(uri.host, uri.port, local_host, window_bytes)
                await loop.create_connection(lambda: self, sock=connected)
                await self._opened
        except BaseException:
            if self._transport is not None:
                self._transport.abort()
            raise
        finally:
            self._opened = None
        if read_bytes_per_s is not None and self._transport is not None:
            self._transport.pause_reading()
            reader = self._transport.get_extra_info("socket").dup()
            self._slow_reading = asyncio.create_task(self._read_slowly(reader, read_bytes_per_s))

    def close(self) -> None:
        """Send a close frame and close the transport, without calling `closed`."""
        self._closed = _ignore
        if self._transport is not None and not self._transport.is_closing():
            if self._protocol.state is State.OPEN:
                self._protocol.send_close(CloseCode.NORMAL_CLOSURE)
                self._write()
            self._transport.close()

    def read_nothing(self) -> None:
        """Stop reading until read_again. A connection that reads slowly on purpose continues to do so."""
        if self._transport is not None and self.is_open and self._slow_reading is None:
            self._transport.pause_reading()

    def read_again(self) -> None:
        if self._transport is not None and self.is_open and self._slow_reading is None:
            self._transport.resume_reading()

    @property
    def is_open(self) -> bool:
        return self._protocol.state is State.OPEN and self._transport is not None and not self._transport.is_closing()

    def send(self, text: bytes) -> None:
        """Send one text frame. On a connection that is closing nothing is sent, and `closed` is called soon."""
        if self.is_open:
            self._protocol.send_text(text)
            self._write()

    def _write(self) -> None:
        assert self._transport is not None
        self._transport.write(b"".join(self._protocol.data_to_send()))

    # --- what the event loop calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's class has its methods but not its base
        request = self._protocol.connect()
        if token := token_of_environment():
            request.headers["Authorization"] = f"Bearer {token}"
        self._protocol.send_request(request)
        self._write()

    def data_received(self, data: bytes) -> None:
        if not (self._between_frames and self._knows(data)):
            self._read(self._rest + data)

    def eof_received(self) -> None:
        self._protocol.receive_eof()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._opened is not None and not self._opened.done():
            problem = self._protocol.handshake_exc or exc
            self._opened.set_exception(problem or ConnectionError("the gateway hung up during the handshake"))
            return
        if self._protocol.handshake_exc is not None or self._protocol.state is State.CONNECTING:
            return
        close = self._protocol.close_rcvd
        if close is None:
            self._closed("the gateway dropped the connection", None)
        else:
            self._closed(f"closed with {close.code}: {close.reason}", close.code)

    # --- reading

    def _read(self, data: bytes) -> None:
        if self._protocol.state is State.CONNECTING:
            data = self._shake_hands(data)
            if self._protocol.state is State.CONNECTING:
                return
        try:
            frames, end = split_frames(data)
        except BadFrame as problem:
            self._fail(str(problem))
            return
        self._rest = data[end:]
        self._between_frames = end == len(data)
        whole: list[bytes] = []
        texts: list[bytes] = []
        for start, payload, end in frames:
            if data[start] == TEXT:
                whole.append(data[start:end])
                texts.append(data[payload:end])
            elif data[start] in CONTROL:
                self._obey_control(data[start:end])
            else:
                self._fail(f"a frame began with {data[start]:#x}: neither whole text nor control")
                break
        if texts:
            self._take(whole, texts)

    def _take(self, frames: list[bytes], texts: list[bytes]) -> None:
        """Handle the text frames of one read: the whole frames, and their payloads."""
        self._hear(frames, texts)

    def _shake_hands(self, data: bytes) -> bytes:
        """Read the handshake's answer once it is complete, and return the bytes after it."""
        end = data.find(HEAD_END)
        if end < 0:
            self._rest = data
            return b""
        end += len(HEAD_END)
        self._protocol.receive_data(data[:end])
        if self._protocol.state is State.OPEN:
            self._protocol.events_received()
            self._websocket_open()
            return data[end:]
        self._protocol.receive_data(data[end:])
        self._protocol.receive_eof()
        assert self._transport is not None
        self._transport.abort()  # connection_lost reports what was wrong with the answer
        return b""

    def _websocket_open(self) -> None:
        self._ready()

    def _ready(self) -> None:
        """Let `connect` return."""
        if self._opened is not None and not self._opened.done():
            self._opened.set_result(None)

    def _obey_control(self, frame: bytes) -> None:
        self._protocol.receive_data(frame)  # a ping is answered with a pong, a close with a close
        self._protocol.events_received()
        self._write()
        if self._protocol.close_expected():
            assert self._transport is not None
            self._transport.close()

    def _fail(self, reason: str) -> None:
        self._rest = b""
        self._protocol.fail(CloseCode.PROTOCOL_ERROR, reason[:100])
        self._write()
        assert self._transport is not None
        self._transport.close()

    async def _read_slowly(self, reader: socket.socket, bytes_per_s: float) -> None:
        """Read in place of the transport, which would read all available data at once."""
        take = max(1, round(bytes_per_s * SLOW_READ_S))
        with reader:
            while self._transport is not None and not self._transport.is_closing():
                await asyncio.sleep(SLOW_READ_S)
                try:
                    data = reader.recv(take)
                except BlockingIOError:
                    continue
                except OSError:
                    data = b""  # the gateway has reset the connection
                if data:
                    self.data_received(data)
                else:
                    self._transport.abort()


async def connected_socket(
    host: str, port: int, local_host: str | None = None, window_bytes: int | None = None
) -> socket.socket:
    """Return a socket connected to the first address of `host` that accepts; raises OSError.

    With `window_bytes`, the kernel buffers only about that many unread bytes.
    """
    loop = asyncio.get_running_loop()
    problems: list[OSError] = []
    for family, kind, number, _, address in await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM):
        try:
            one = socket.socket(family, kind, number)
        except OSError as problem:  # the kernel lacks this address family, for example if IPv6 is disabled
            problems.append(problem)
            continue
        try:
            one.setblocking(False)
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if window_bytes is not None:
                one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, window_bytes)  # only counts before connecting
            if local_host is not None:
                one.bind((local_host, 0))
            async with asyncio.timeout(ADDRESS_TIMEOUT_S):
                await loop.sock_connect(one, address)
        except TimeoutError:
            one.close()
            problems.append(TimeoutError(f"no answer from {address[0]} within {ADDRESS_TIMEOUT_S:g} s"))
        except OSError as problem:
            one.close()
            problems.append(problem)
        except BaseException:
            one.close()
            raise
        else:
            return one
    if len(problems) == 1:
        raise problems[0]
    raise ConnectionError(f"no address of {host} takes connections: {'; '.join(map(str, problems))}")


def _ignore(_reason: str, _code: int | None) -> None:
    pass
