"""The settings of the driver's processes. They stand apart from those processes' modules, whose import loads gevent."""

from __future__ import annotations

import msgspec

from architectures.clients.address import HostPort
from harness.core.addresses import host_port
from harness.core.options import parse_options
from harness.core.settings import RunSettings


class WebSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The settings of Locust's web UI, which starts and stops tests of any of these scenarios."""

    host: str
    port: int
    scenarios: list[str]  # paths; DriverSettings.scenario is selected first
    origins: tuple[str, ...] = ()  # origins of web pages that may send requests, besides the UI's own and this host's


class WorkerSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The settings that a Locust worker reads from its standard input."""

    master_host: str
    master_port: int
    scenarios: list[str]  # paths
    audience_log: str


class DriverSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The settings that the driver process reads from its standard input."""

    run: RunSettings
    scenario: str  # path of the locustfile that run.scenario names
    logs: str  # folder
    web: WebSettings | None = None  # None: there is one test, which chatbench starts and ends

    @property
    def options(self) -> dict[str, str]:
        """The scenario's own options, by name."""
        return parse_options("--set", self.run.options)

    @property
    def master(self) -> HostPort:
        """The address where Locust workers that are started separately find their master."""
        return host_port("--master-bind", self.run.master_bind)
