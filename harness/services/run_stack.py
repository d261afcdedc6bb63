"""What a run stands on, whoever runs it: its backends and its gateways, as far as a run has to do with them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Protocol

from architectures.interface import Requirements, Services, Topology
from harness.gateway.settings import GatewayStats
from harness.ledger.passages import Passages
from harness.measure.resources import CpuUsed
from harness.measure.threads import Thread, ThreadTime
from harness.services.backend import Backend, Breakable, Counters
from harness.services.proxy import Proxy
from peers.interface import OnProgress


class RunBackends(Protocol):
    """The backends of a run: its own, or lent by a `chatbench up`. `begin`, then `finish`, then `stop`."""

    @property
    def starting(self) -> str:
        """What a run on them starts, for people."""
        ...

    def begin(self, on_progress: OnProgress) -> None:
        """Download and prepare what is missing, and begin to start. Raises ServiceFailed."""
        ...

    def finish(self) -> None:
        """Wait until all of them serve. Raises ServiceFailed."""
        ...

    def of(self, requires: Requirements) -> list[Backend]:
        """Those that run on this host and that an architecture with these requirements uses."""
        ...

    def services_for(self, requires: Requirements) -> Services:
        """Where the backends are that an architecture with these requirements uses, and no others."""
        ...

    def whose(self, requires: Requirements) -> str:
        """Who runs the backends of such an architecture, as summary.json says it."""
        ...

    def external_settings(self, requires: Requirements) -> Mapping[str, str]:
        """The settings that a record should hold of those of its backends that somebody else runs, by name."""
        ...

    def check(self) -> None:
        """Raise ServiceFailed if any of their processes has ended by itself."""
        ...

    def forget(self, run_id: str) -> None:
        """Remove what that run made at backends that go on; raises ServiceFailed if it stays there."""
        ...

    def stop(self) -> None:
        """End them, or give them back."""
        ...


class RunGateways(Protocol):
    """The gateways of a run, which serve."""

    @property
    def urls(self) -> list[str]:
        """Their addresses, by place."""
        ...

    def frames_per_s(self) -> float:
        """How many frames one member may send, whichever gateway it is at; raises ServiceFailed."""
        ...

    def stats(self) -> dict[str, GatewayStats]:
        """The counters of every gateway that runs, by its process; raises ServiceFailed if one does not answer."""
        ...

    def passages(self) -> list[Passages] | None:
        """What each gateway has noted of traced messages since the last time, by place; None: that is not known."""
        ...

    def endings(self) -> list[str]:
        """How and why gateways have ended that nobody killed."""
        ...


class UsageMeter(Protocol):
    """CPU time and memory of what a run stands on, by component."""

    @property
    def is_local(self) -> bool:
        """Whether a reading is cheap enough for every second. If not, it asks other hosts."""
        ...

    @property
    def resolution_s(self) -> Mapping[str, float]:
        """The least CPU time of a component that can be told from none."""
        ...

    def cpu(self) -> CpuUsed:
        """CPU time used so far."""
        ...

    def threads(self) -> dict[Thread, ThreadTime]:
        """CPU time of each thread so far."""
        ...

    def rss_bytes(self) -> dict[str, int]:
        """Resident memory now."""
        ...


class Targets(Protocol):
    """What faults can break."""

    def let_gateways_end(self) -> None:
        """Gateways may end from now on: what they do under a fault is what a run is to show."""
        ...

    def processes(self, target: str) -> Breakable:
        """The processes that faults call so. Raises ServiceFailed if there are none to break."""
        ...

    def proxy(self, target: str) -> Proxy:
        """The proxy on the connections that faults call so. Raises ServiceFailed if there is none."""
        ...


class RunStack(Targets, Protocol):
    """What a run stands on: `begin`, `start`, `stop`, and then `forget`."""

    topology: Topology

    @property
    def starting(self) -> str:
        """What a run on it starts, for people."""
        ...

    @property
    def whose(self) -> str:
        """Who runs what it stands on, as summary.json says it."""
        ...

    def external_settings(self) -> Mapping[str, str]:
        """The settings that a record should hold of backends that somebody else runs, by name."""
        ...

    def begin(self, on_progress: OnProgress) -> None:
        """Download and prepare what is missing, and begin to start. Raises ServiceFailed."""
        ...

    def start(self) -> RunGateways:
        """Return when the gateways serve. Raises ServiceFailed, or UsageError if others use them."""
        ...

    @property
    def gateways(self) -> RunGateways:
        """What `start` has returned."""
        ...

    def check(self) -> None:
        """Raise ServiceFailed if a process that this host should run has ended by itself."""
        ...

    def meter(self) -> UsageMeter:
        """A meter of the processes that run now."""
        ...

    def counters(self, killed: Collection[str]) -> Mapping[str, Counters]:
        """What each backend has counted, by component. Raises ServiceFailed.

        Backends that faults have `killed`, by their targets, are left out: their counters ended with them.
        """
        ...

    def stop(self) -> None:
        """End the gateways that it started. The backends are the caller's."""
        ...

    def forget(self) -> str | None:
        """After `stop`: remove what the run made at backends that go on; returns why something was left there."""
        ...
