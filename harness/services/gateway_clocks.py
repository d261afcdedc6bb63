"""The clocks of gateways that others have started, perhaps on other hosts: how far they are ahead of this host's."""

from __future__ import annotations

import time

from harness.measure import host_clock
from harness.measure.clock_offset import (
    ANSWER_TIMEOUT_S,
    EXCHANGES,
    PAUSE_S,
    Exchange,
    Offset,
    bound_throughout_ns,
    offset_of,
)
from harness.services.gateway_client import ask_time


class GatewayClocks:
    """Compares each gateway's clock before and after something, so that the error in between is bounded."""

    def __init__(self, token: str | None) -> None:
        self._token = token
        self._before: dict[str, Offset] = {}

    def compare(self, url: str) -> Offset | None:
        """Block until the gateway has told its time; None if it does not.

        The offset is the one of the call before, with its largest error until now; of a first call, the present one.
        """
        now = self._measured(url)
        if now is None:
            return None
        before = self._before.get(url, now)
        self._before[url] = now
        return Offset(before.ahead_ns, bound_throughout_ns(before, now))

    def _measured(self, url: str) -> Offset | None:
        exchanges: list[Exchange] = []
        while len(exchanges) < EXCHANGES:
            told = ask_time(url, self._token, ANSWER_TIMEOUT_S)
            if told is None:
                return None
            exchange, clock = told
            if clock == host_clock.identity():
                return Offset()
            exchanges.append(exchange)
            time.sleep(PAUSE_S)
        return offset_of(exchanges)
