"""What one run stands on: the backends its architecture requires, and its own gateways."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

from confluent_kafka import KafkaException

from architectures.interface import Candidate, GoneForGood, Topology
from harness.core.errors import ServiceFailed
from harness.measure.resources import Meter
from harness.services.backend import Backend, Breakable, Counters
from harness.services.fleet import Fleet, FleetOptions
from harness.services.gateway_program import OWN, program_of
from harness.services.proxy import Proxy
from harness.services.run_stack import RunBackends
from peers.interface import OnProgress

GATEWAY = "gateway"  # in records, and in faults


class Stack:
    """Gateways of the run's own: `start`, then `stop`. Other runs may use the backends before and after."""

    def __init__(
        self,
        architecture: type[Candidate],
        topology: Topology,
        backends: RunBackends,
        logs: Path,
        options: FleetOptions,
    ) -> None:
        self._architecture = architecture
        self.topology = topology
        self._backends = backends
        self._logs = logs
        self._options = options
        self._program = OWN
        self._fleet: Fleet | None = None

    @property
    def starting(self) -> str:
        """What a run on it starts, for people."""
        return self._backends.starting

    @property
    def whose(self) -> str:
        """Who runs the backends, as summary.json says it."""
        return self._backends.whose(self._architecture.requires)

    def external_settings(self) -> Mapping[str, str]:
        """The settings that a record should hold of backends that somebody else runs, by name."""
        return self._backends.external_settings(self._architecture.requires)

    @property
    def gateways(self) -> Fleet:
        """The gateways that `start` has started."""
        assert self._fleet is not None, "the gateways are asked for after `start`"
        return self._fleet

    def _running(self) -> list[Backend]:
        """The backends that this architecture uses: others may run beside them, for other runs."""
        return self._backends.of(self._architecture.requires)

    def begin(self, on_progress: OnProgress) -> None:
        """Download what is missing, and begin to start the backends. Raises ServiceFailed."""
        self._backends.begin(on_progress)
        self._program = program_of(self._architecture, on_progress)

    def start(self) -> Fleet:
        """Wait for the backends, provision the architecture, and start its gateways. Raises ServiceFailed."""
        self._backends.finish()
        services = self._backends.services_for(self._architecture.requires)
        try:
            self._architecture.provision(services, self.topology)
        except GoneForGood as problem:
            raise ServiceFailed(str(problem)) from problem
        except KafkaException as problem:
            raise ServiceFailed(f"{self._architecture.name} could not make its topics: {problem}") from problem
        self._fleet = Fleet(
            self._architecture.name, services, self.topology, self._logs, self._options, program=self._program
        )
        self._fleet.start()
        self._fleet.wait_ready()
        return self._fleet

    def check(self) -> None:
        """Raise ServiceFailed if any process of the stack has ended by itself."""
        self._backends.check()
        if self._fleet is not None:
            self._fleet.check()

    def meter(self) -> Meter:
        """A meter of the processes that run now."""
        pids = {GATEWAY: [child.pid for child in self.gateways.children]}
        for backend in self._running():
            pids[backend.type.component] = [child.pid for child in backend.children]
        return Meter(pids)

    def counters(self, killed: Collection[str]) -> Mapping[str, Counters]:
        """What each backend has counted, by component; without those that faults have killed, by their targets."""
        return {
            backend.type.component: backend.counters(self.topology.run_id)
            for backend in self._running()
            if backend.type.target not in killed
        }

    def let_gateways_end(self) -> None:
        """Gateways may end from now on: what they do under a fault is what a run is to show."""
        self.gateways.let_end()

    def processes(self, target: str) -> Breakable:
        """The gateways, or the backend that faults call so. Raises ServiceFailed if there is none."""
        if target == GATEWAY:
            return self.gateways
        for backend in self._running():
            if backend.type.target == target:
                return backend
        raise ServiceFailed(f"there is no {target} to break: {self._architecture.name} has none")

    def proxy(self, target: str) -> Proxy:
        """The proxy between the gateways and the backend in `gateway-BACKEND`. Raises ServiceFailed."""
        for backend in self._running():
            if f"{GATEWAY}-{backend.type.target}" == target and backend.proxy is not None:
                return backend.proxy
        raise ServiceFailed(f"there is no {target} to break: no proxy is between the two")

    def stop(self) -> None:
        """End the gateways."""
        if self._fleet is not None:
            self._fleet.stop()

    def forget(self) -> str | None:
        """After `stop`: remove what the run made at backends that go on; returns why something was left there."""
        try:
            self._backends.forget(self.topology.run_id)
        except ServiceFailed as problem:
            return str(problem)
        return None
