"""The contract of a backend: all that a run asks of Kafka, Redis or NATS, without knowing which of them it has.

A folder with a class that does what `Servers` says and a `BackendType` that begins one, and a line in
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
from harness.services.proxy import Proxy, start_proxy
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


class Servers(Breakable, Protocol):
    """The processes of one backend, which have begun to start: `finish`, and at the end `stop`."""

    @property
    def ports(self) -> Sequence[int]:
        """The ports on loopback at which clients reach them without a proxy."""
        ...

    def proxy_ports(self) -> Sequence[tuple[int, int]]:
        """The ports at which a proxy is to listen, each with the port that it forwards to. Raises ServiceFailed."""
        ...

    def services_at(self, ports: Sequence[int]) -> Services:
        """The address with which clients reach them at these ports: their own, or those of a proxy."""
        ...

    def finish(self) -> None:
        """Start again what an earlier run killed, and wait until they serve. Raises ServiceFailed."""
        ...

    def check(self) -> None:
        """Raise ServiceFailed if one of the processes has ended by itself."""
        ...

    def counters(self, run_id: str) -> Counters:
        """What they have counted: for that run alone, where they can tell. Raises ServiceFailed."""
        ...

    def described(self) -> bytes:
        """What another process of this host needs to use them, for `BackendType.borrow`."""
        ...

    def stop(self) -> None:
        """End all of the processes."""
        ...


@dataclass(frozen=True, slots=True)
class Site:
    """Where and how the backends of a run are started."""

    brokers: int  # of Kafka
    workdir: Path  # for what they keep while they run
    logs: Path
    proxied: bool  # gateways reach each of them through a proxy, so that faults can break the connections


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
    begin: Callable[[Site, OnProgress], Servers]
    # From a description, use what the `chatbench up` with that process id runs; None if it has not so many brokers.
    borrow: Callable[[bytes, int, int], Servers | None]


class Backend:
    """The servers of a backend, and the proxy before them if there is to be one: `finish`, and at the end `stop`."""

    def __init__(self, kind: BackendType, servers: Servers, proxy_log: Path | None = None) -> None:
        """With a `proxy_log`, gateways reach the servers through a proxy that logs there."""
        self.type = kind
        self.servers = servers
        self.proxy: Proxy | None = None
        self._proxy_log = proxy_log

    @property
    def children(self) -> Sequence[Child]:
        """The processes of the servers as they are now."""
        return self.servers.children

    @property
    def services(self) -> Services:
        """Where gateways find the servers once they are ready: at the proxy, if there is one."""
        return self.servers.services_at(self.servers.ports if self.proxy is None else self.proxy.ports)

    def finish(self) -> None:
        """Start again what an earlier run killed, and wait until the servers serve. Raises ServiceFailed."""
        self.servers.finish()
        if self._proxy_log is not None and self.proxy is None:
            name = f"the proxy before {self.type.product}"
            self.proxy = start_proxy(name, self.servers.proxy_ports(), self._proxy_log)

    def start_again(self, index: int) -> None:
        """Start a server again after it was killed, at its address and on what it left on disk."""
        self.servers.start_again(index)

    def check(self) -> None:
        """Raise ServiceFailed if a server or the proxy has ended by itself."""
        self.servers.check()
        if self.proxy is not None:
            self.proxy.child.check()

    def counters(self, run_id: str) -> Counters:
        """What the servers have counted: for that run alone, where they can tell. Raises ServiceFailed."""
        return self.servers.counters(run_id)

    def stop(self) -> None:
        """End the proxy and the servers."""
        if self.proxy is not None:
            self.proxy.child.kill()
        self.servers.stop()
