"""What the driver process is told. Apart from driver.py, because importing that patches the process with gevent."""

from __future__ import annotations

import msgspec


class DriverSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What the driver process reads from its standard input."""

    scenario: str  # path of the locustfile
    members: int
    rooms: int | None
    rate_per_s: float
    payload_bytes: int
    seed: int
    audience_log: str
