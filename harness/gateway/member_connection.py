"""A member's WebSocket connection with a budget of frames, so that one member cannot block the event loop.

A ping costs its sender almost nothing, but the gateway ten microseconds of its only thread. So every frame counts,
including control frames and fragments, and a long frame counts as several.
"""

from __future__ import annotations

import asyncio
from typing import Any

from websockets.asyncio.server import ServerConnection
from websockets.frames import CloseCode, Frame
from websockets.http11 import Request
from websockets.protocol import State

from harness.gateway.settings import FLOOD_REASON, Limits, frames_of
from harness.gateway.token_bucket import TokenBucket

# Received data is parsed in pieces, and the budget is checked after each: one read may contain forty thousand pings.
PIECE_BYTES = 8 * 1024
REASON_MAX_BYTES = 123  # a control frame has at most 125 bytes, of which two are the code: RFC 6455, section 5.5
FLOOD = "too_many_frames"


class MemberConnection(ServerConnection):
    """A connection that is closed with 1008 when its member exceeds the budget of frames; then `flooded` is true."""

    def __init__(self, *arguments: Any, limits: Limits, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._limits = limits
        self._budget = TokenBucket(limits.frames_per_s, limits.frames_burst)
        self._end: asyncio.TimerHandle | None = None
        self.flooded = False

    def data_received(self, data: bytes) -> None:
        for start in range(0, len(data), PIECE_BYTES):
            if self.protocol.eof_sent:  # the connection was failed: ignore the rest
                break
            super().data_received(data[start : start + PIECE_BYTES])
        # The library waits for the other side to close, which a flooding client may never do.
        if self.protocol.eof_sent and self._end is None:
            self._end = self.loop.call_later(self.close_timeout or 0, self.transport.abort)

    def connection_lost(self, problem: Exception | None) -> None:
        if self._end is not None:
            self._end.cancel()
        super().connection_lost(problem)

    def process_event(self, event: Frame | Request) -> None:  # type: ignore[override]  # websockets types both as Event
        super().process_event(event)
        if isinstance(event, Frame) and not self._budget.take(frames_of(len(event.data))):
            self._fail()

    def _fail(self) -> None:
        if self.protocol.state is State.OPEN:
            self.flooded = True
            reason = f"{FLOOD_REASON} {self._limits.frames_per_s:,.0f}"
            self.protocol.fail(CloseCode.POLICY_VIOLATION, cut_to_bytes(reason, REASON_MAX_BYTES))
            self.send_data()


def cut_to_bytes(text: str, bytes_max: int) -> str:
    """Cut the text to at most `bytes_max` bytes of UTF-8, between characters."""
    return text.encode(errors="replace")[:bytes_max].decode(errors="ignore")
