"""The gateway processes of a run."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from architectures.interface import Services, Topology
from harness.core.errors import ServiceFailed
from harness.gateway.settings import Exposure, GatewaySettings, GatewayStats, Limits, gateway_url
from harness.ledger.passages import Passages
from harness.services.gateway_client import Answer, ask
from harness.services.gateway_program import OWN, Program
from harness.services.ports import free_ports
from harness.services.processes import Child, Reasons, spawn

START_TIMEOUT_S = 45.0
# Reasons that a backend gave the gateway, in the words of its client library.
REASONS: Reasons = (
    ("command not allowed when used memory", "Redis is full; free some of its memory, or raise its maxmemory"),
    (
        "maximum connections exceeded",
        "NATS takes no more connections; raise its max_connections, or use fewer --gateways",
    ),
    ("max number of clients reached", "Redis takes no more connections; raise its maxclients, or use fewer --gateways"),
)
ANSWER_TIMEOUT_S = 30.0  # a gateway under more load than it can carry answers late


@dataclass(frozen=True, slots=True)
class FleetOptions:
    """How the gateways of a fleet serve, whatever their architecture."""

    exposure: Exposure = field(default_factory=Exposure)
    limits: Limits = field(default_factory=Limits)
    tick_s: float | None = None  # as in GatewaySettings
    trace_one_in: int = 0  # as in GatewaySettings
    port: int | None = None  # the first gateway's; None: any that is free


USUAL = FleetOptions()


class Fleet:
    """All gateways of a run: `start`, `wait_ready`, then `stop`."""

    def __init__(
        self,
        arch: str,
        services: Services,
        topology: Topology,
        logs: Path,
        options: FleetOptions = USUAL,
        *,
        program: Program = OWN,
    ) -> None:
        self._arch = arch
        self._program = program
        self._services = services
        self._topology = topology
        self._logs = logs
        self._options = options
        chosen = [] if options.port is None else [options.port]
        self._ports = (*chosen, *free_ports(topology.gateways - len(chosen), options.exposure.bind))
        self.children: list[Child] = []
        self._may_end = False

    def frames_per_s(self) -> float:
        """How many frames one member may send, whichever gateway it is at."""
        return self._options.limits.frames_per_s

    @property
    def urls(self) -> list[str]:
        return [gateway_url(port, self._options.exposure.bind, self._program.scheme) for port in self._ports]

    def start(self) -> None:
        self.children = [self._spawn(index) for index in range(self._topology.gateways)]

    def start_again(self, index: int) -> None:
        """Start a gateway again after its process was killed, at the same address."""
        self.children[index] = self._spawn(index)

    def _spawn(self, index: int) -> Child:
        settings = GatewaySettings(
            arch=self._arch,
            services=self._services,
            topology=self._topology,
            index=index,
            port=self._ports[index],
            peers=tuple(self.urls),
            exposure=self._options.exposure,
            limits=self._options.limits,
            tick_s=self._options.tick_s,
            trace_one_in=self._options.trace_one_in,
        )
        return spawn(
            f"gateway {index}",
            self._program.argv,
            self._logs / f"gateway-{index}.log",
            stdin=msgspec.json.encode(settings),
            reasons=REASONS,
        )

    def wait_ready(self) -> None:
        """Return when every gateway serves; raises ServiceFailed otherwise."""
        deadline = time.monotonic() + START_TIMEOUT_S
        for port, child in zip(self._ports, self.children, strict=True):
            while self._stats_of(port, timeout_s=1) is None:
                child.check()
                if time.monotonic() > deadline:
                    raise ServiceFailed(
                        f"{child.name} did not serve within {START_TIMEOUT_S:g} s: {child.reason()}; "
                        f"its log is {child.log}"
                    )
                time.sleep(0.02)

    def check(self) -> None:
        """Raise ServiceFailed if a gateway has ended by itself, unless it may."""
        if not self._may_end:
            for child in self.children:
                child.check()

    def let_end(self) -> None:
        """Gateways may end from now on: what they do under a fault is what a run is to show."""
        self._may_end = True

    def endings(self) -> list[str]:
        """How and why gateways have ended, except those that a fault killed."""
        return [ending for child in self.children if (ending := child.ending()) is not None]

    def stats(self) -> dict[str, GatewayStats]:
        """The counters of every gateway that runs, by its process; raises ServiceFailed if one does not answer."""
        answers = {}
        for port, child in zip(self._ports, self.children, strict=True):
            if self._may_end and not child.is_running:
                continue
            stats = self._stats_of(port, ANSWER_TIMEOUT_S)
            if stats is None:
                child.check()
                raise ServiceFailed(
                    f"{child.name} did not answer within {ANSWER_TIMEOUT_S:g} s; use a lower --rate, or see {child.log}"
                )
            answers[str(child.pid)] = stats
        return answers

    def passages(self) -> list[Passages] | None:
        """What each gateway has noted of traced messages since the last time, by place; nothing if it has ended.

        None: they trace nothing, or one that runs does not tell.
        """
        if not self._options.trace_one_in or self._program is not OWN:
            return None
        found = []
        for port, child in zip(self._ports, self.children, strict=True):
            answer = self._ask(port, "/trace", Passages, ANSWER_TIMEOUT_S) if child.is_running else Passages([], 0)
            if answer is None:
                return None
            found.append(answer)
        return found

    def _stats_of(self, port: int, timeout_s: float) -> GatewayStats | None:
        return self._ask(port, "/stats", GatewayStats, timeout_s)

    def _ask(self, port: int, path: str, kind: type[Answer], timeout_s: float) -> Answer | None:
        url = gateway_url(port, self._options.exposure.bind)
        return ask(url, path, kind, self._options.exposure.token, timeout_s)

    def stop(self) -> None:
        for child in self.children:  # ask all before waiting for one
            if child.is_running:
                child.process.terminate()
                child.resume()
        for child in self.children:
            child.stop()
