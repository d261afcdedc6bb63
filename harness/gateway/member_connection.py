"""A member's WebSocket connection, with a budget of frames: one member must not keep the event loop from the others.

A ping costs its sender nothing, and the gateway ten microseconds of its only thread. So every frame counts, control
frames and fragments too, and a long one counts as several.
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

# What has arrived is parsed in pieces, and the budget is asked after each: one read may hold forty thousand pings.
PIECE_BYTES = 8 * 1024
REASON_MAX_BYTES = 123  # RFC 6455, section 5.5: a control frame has 125 bytes, and two of them are the code
FLOOD = "too_many_frames"


class MemberConnection(ServerConnection):
    """`flooded` once the budget was passed, and the connection was failed with 1008 for that."""

    def __init__(self, *arguments: Any, limits: Limits, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._limits = limits
        self._budget = TokenBucket(limits.frames_per_s, limits.frames_burst)
        self._end: asyncio.TimerHandle | None = None
        self.flooded = False

    def data_received(self, data: bytes) -> None:
        for start in range(0, len(data), PIECE_BYTES):
            if self.protocol.eof_sent:  # the connection has failed: nothing that comes now means anything
                break
            super().data_received(data[start : start + PIECE_BYTES])
        # The library waits for the other side to hang up, and a flooder need never do that.
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
    """As much of the text as has so many bytes in UTF-8, in whole characters."""
    return text.encode(errors="replace")[:bytes_max].decode(errors="ignore")
