"""The contract of a backend: all that a run asks of Kafka, Redis or NATS, without knowing which of them it has.

A folder with a class that does what `Backend` says and a `BackendType` that begins one, and a line in
`harness.services.backends.BACKENDS`, make a backend that is started, measured, counted, broken by faults, lent and
stopped like the others.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, Self

import msgspec

from architectures.interface import Services
from harness.services.processes import Child
from harness.services.proxy import Proxy
from peers.interface import OnProgress


class Counters(Protocol):
    """What a backend has counted since it started."""

    def since(self, before: Self) -> Self:
        """What was counted between that moment and this."""
        ...

    def per_message(self, sent: int) -> msgspec.Struct:
        """The figures of a record: each counter divided by the messages sent, or None if none were."""
        ...


class Breakable(Protocol):
    """Processes of one program, of which a fault breaks the first."""

    @property
    def children(self) -> Sequence[Child]:
        """The processes as they are now."""
        ...

    def start_again(self, index: int) -> None:
        """Start a process again after it was killed, at its address and on what it left on disk."""
        ...


class Backend(Breakable, Protocol):
    """A backend whose processes have begun to start: `finish`, and at the end `stop`."""

    @property
    def type(self) -> BackendType:
        """What it is."""
        ...

    @property
    def services(self) -> Services:
        """Where gateways find it once it is ready: at its proxy, if it has one."""
        ...

    @property
    def proxy(self) -> Proxy | None:
        """The proxy that it started between itself and the gateways; None if it was not to have one."""
        ...

    def finish(self) -> None:
        """Start again what an earlier run killed, and wait until it serves. Raises ServiceFailed."""
        ...

    def check(self) -> None:
        """Raise ServiceFailed if one of its processes has ended by itself."""
        ...

    def counters(self, run_id: str) -> Counters:
        """What it has counted: for that run alone, where it can tell. Raises ServiceFailed."""
        ...

    def described(self) -> bytes:
        """What another process of this host needs to use it, for `BackendType.borrow`."""
        ...

    def stop(self) -> None:
        """End all of its processes."""
        ...


@dataclass(frozen=True, slots=True)
class Site:
    """Where and how the backends of a run are started."""

    brokers: int  # of Kafka
    workdir: Path  # for what they keep while they run
    logs: Path
    proxied: bool  # gateways reach each of them through a proxy, so that faults can break the connections

    @property
    def proxy_log(self) -> Path:
        """The log that all proxies share."""
        return self.logs / "proxy.log"


def nothing_to_record(_services: Services) -> Mapping[str, str]:
    """`settings_at` of a backend that has no settings that matter to a run."""
    return {}


def nothing_to_remove(_services: Services, _prefix: str) -> None:
    """`remove_traces` of a backend in which a run leaves nothing."""


@dataclass(frozen=True, slots=True)
class BackendType:
    """What is known of a backend before it runs."""

    name: str  # the field of Requirements that asks for it
    component: str  # the key of its CPU time, memory and counters in records
    product: str  # its name for people
    target: str  # its name in faults
    not_counted: msgspec.Struct  # its figures in a record where its counters could not be read
    # The part of given addresses and settings that leads to such a backend, which somebody else runs.
    part_of: Callable[[Services], Services]
    # Of such a backend that somebody else runs: the settings that a record should hold, by name.
    settings_at: Callable[[Services], Mapping[str, str]]
    # There: remove everything whose name begins with the prefix; raises ServiceFailed if it stays.
    remove_traces: Callable[[Services, str], None]
    # Download and prepare what is missing, and begin to start; raises ServiceFailed and leaves no process.
    begin: Callable[[Site, OnProgress], Backend]
    # From a description, use what the `chatbench up` with that process id runs; None if it has not so many brokers.
    borrow: Callable[[bytes, int, int], Backend | None]
