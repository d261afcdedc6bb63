"""What the driver process is told. Apart from driver.py, because importing that patches the process with gevent."""

from __future__ import annotations

import msgspec


class WebSettings(msgspec.Struct, frozen=True, kw_only=True):
    """For Locust's web UI."""

    host: str
    port: int
    arch: str
    scenarios: list[str]  # paths; the one to begin with is DriverSettings.scenario
    warmup_s: float
    origins: tuple[str, ...] = ()  # web pages that may give orders, beside its own and those of this host


class ExpectedWorkers(msgspec.Struct, frozen=True, kw_only=True):
    """Locust workers that others start, on this host or elsewhere, and where they find their master."""

    count: int
    host: str
    port: int


class WorkerSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What a Locust worker reads from its standard input."""

    master_host: str
    master_port: int
    scenarios: list[str]  # paths
    audience_log: str


class DriverSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What the driver process reads from its standard input."""

    scenario: str  # path of the locustfile
    members: int
    rooms: int | None
    rate_per_s: float
    payload_bytes: int
    payload_sizes: str
    seed: int
    options: dict[str, str]
    processes: int  # Locust processes that hold members
    expected: ExpectedWorkers | None = None  # and then none of this host's own
    logs: str  # folder
    web: WebSettings | None = None  # None: chatbench begins and ends the one test
