"""What the driver process is told. Apart from driver.py, because importing that patches the process with gevent."""

from __future__ import annotations

import msgspec


class WebSettings(msgspec.Struct, frozen=True, kw_only=True):
    """For Locust's web UI."""

    port: int
    arch: str
    scenarios: list[str]  # paths; the one to begin with is DriverSettings.scenario
    warmup_s: float


class DriverSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What the driver process, and each of its Locust workers, reads from its standard input."""

    scenario: str  # path of the locustfile
    members: int
    rooms: int | None
    rate_per_s: float
    payload_bytes: int
    payload_sizes: str
    seed: int
    options: dict[str, str]
    processes: int  # Locust processes that hold members
    logs: str  # folder
    web: WebSettings | None = None  # None: chatbench begins and ends the one test
