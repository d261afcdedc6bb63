"""What the driver processes are told. Not in their modules, because importing those patches the process with gevent."""

from __future__ import annotations

import msgspec

from architectures.clients.address import HostPort
from harness.core.addresses import host_port
from harness.core.options import parse_options
from harness.core.settings import RunSettings


class WebSettings(msgspec.Struct, frozen=True, kw_only=True):
    """For Locust's web UI, which begins and ends tests of any of these scenarios."""

    host: str
    port: int
    scenarios: list[str]  # paths; the one to begin with is DriverSettings.scenario
    origins: tuple[str, ...] = ()  # web pages that may give orders, beside its own and those of this host


class WorkerSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What a Locust worker reads from its standard input."""

    master_host: str
    master_port: int
    scenarios: list[str]  # paths
    audience_log: str


class DriverSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What the driver process reads from its standard input."""

    run: RunSettings
    scenario: str  # path of the locustfile that run.scenario names
    logs: str  # folder
    web: WebSettings | None = None  # None: chatbench begins and ends the one test

    @property
    def options(self) -> dict[str, str]:
        """The scenario's own, by name."""
        return parse_options("--set", self.run.options)

    @property
    def master(self) -> HostPort:
        """Where Locust workers that others start find their master."""
        return host_port("--master-bind", self.run.master_bind)
