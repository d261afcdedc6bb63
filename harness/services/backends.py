"""The backends of one run or of many: started once, kept warm, stopped at the end."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import fields, replace
from pathlib import Path

from architectures.interface import Requirements, Services
from harness.core import library_logs
from harness.services.backend import Backend, BackendType, Site
from harness.services.kafka.backend import KAFKA
from harness.services.nats.backend import NATS
from harness.services.redis.backend import REDIS, REDIS_CLUSTER
from harness.services.workdir import discard, make_workdir
from peers.interface import OnProgress

# Every backend that there is, in the order in which they are started and recorded.
BACKENDS: tuple[BackendType, ...] = (KAFKA, REDIS, REDIS_CLUSTER, NATS)
NOBODYS = Services()


def required_types(requires: Requirements) -> list[BackendType]:
    """The types of backends that an architecture with these requirements needs."""
    return [each for each in BACKENDS if getattr(requires, each.name)]


def all_requirements(every: Iterable[Requirements]) -> Requirements:
    """The backends that any of these requirements asks for."""
    names = {each.name for requires in every for each in required_types(requires)}
    return Requirements(**dict.fromkeys(names, True))


def merged(parts: Iterable[Services]) -> Services:
    """One Services with all that any of the parts gives; a later part takes precedence."""
    whole = NOBODYS
    for part in parts:
        given = {field.name: getattr(part, field.name) for field in fields(part)}
        whole = replace(whole, **{name: value for name, value in given.items() if value})
    return whole


class Backends:
    """The backends that are required, but for those that somebody else runs: `begin`, then `finish`, then `stop`.

    Between `begin` and `finish` a JVM is busy and the caller may do something else. Both may be called again before
    the next run: what is running already is left as it is.
    """

    starting = "driver and services"

    def __init__(
        self,
        requires: Requirements,
        brokers: int,
        logs: Path,
        *,
        proxied: bool = False,
        external: Services = NOBODYS,
    ) -> None:
        """`proxied`: gateways reach them through proxies, so that faults can break the connections.

        `external`: where backends are that somebody else runs. These are not started.
        """
        self._types = [each for each in required_types(requires) if each.part_of(external) == NOBODYS]
        self._external = external
        self._brokers = brokers
        self._logs = logs
        library_logs.write_to(logs)
        self._proxied = proxied
        self.workdir: Path | None = None
        self.running: list[Backend] = []

    def begin(self, on_progress: OnProgress) -> None:
        """Download and prepare what is missing, and begin to start. Raises ServiceFailed."""
        if self.workdir is not None:
            return
        self.workdir = make_workdir()
        site = Site(self._brokers, self.workdir, self._logs, proxied=self._proxied)
        for each in self._types:
            servers = each.begin(site, on_progress)
            self.running.append(Backend(each, servers, self._logs / "proxy.log" if self._proxied else None))

    def finish(self) -> None:
        """Wait until all of them serve. What an earlier run killed is started again. Raises ServiceFailed."""
        for backend in self.running:
            backend.finish()

    def of(self, requires: Requirements) -> list[Backend]:
        """Those of the running backends that an architecture with these requirements uses."""
        return [backend for backend in self.running if getattr(requires, backend.type.name)]

    def services_for(self, requires: Requirements) -> Services:
        """Where the backends are that an architecture with these requirements uses, and no others."""
        external = [each.part_of(self._external) for each in required_types(requires)]
        return merged([*external, *(backend.services for backend in self.of(requires))])

    def whose(self, requires: Requirements) -> str:
        """Who runs the backends of such an architecture, as summary.json says it."""
        products = dict.fromkeys(each.product for each in required_types(requires) if each in self._elsewhere())
        return f"external {' and '.join(products)}" if products else "own"

    def external_settings(self, requires: Requirements) -> Mapping[str, str]:
        """The settings that a record should hold of those of its backends that somebody else runs, by name."""
        found: dict[str, str] = {}
        for each in self._elsewhere():
            if each in required_types(requires):
                found |= each.settings_at(self._external)
        return found

    def _elsewhere(self) -> list[BackendType]:
        """The types that somebody else runs."""
        return [each for each in BACKENDS if each.part_of(self._external) != NOBODYS]

    def forget(self, run_id: str) -> None:
        """Remove what that run made at backends of somebody else's; raises ServiceFailed if it stays there."""
        for each in self._elsewhere():
            each.remove_traces(self._external, f"{run_id}-")

    def check(self) -> None:
        """Raise ServiceFailed if any of their processes has ended by itself."""
        for backend in self.running:
            backend.check()

    def stop(self) -> None:
        """End all of their processes, and remove what they kept."""
        for backend in self.running:
            backend.stop()
        if self.workdir is not None:
            discard(self.workdir)
