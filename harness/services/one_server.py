"""What Redis and NATS have in common as backends: one server on one port of loopback, which keeps nothing on disk."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

from harness.services.ports import free_ports
from harness.services.processes import Child, wait_until_listening

START_TIMEOUT_S = 15.0


@dataclass(slots=True)
class OneServer(ABC):
    """A server that keeps the contract of Servers, but for what its program alone knows."""

    child: Child
    port: int

    @property
    def children(self) -> Sequence[Child]:
        return [self.child]

    @property
    def ports(self) -> Sequence[int]:
        return [self.port]

    def proxy_ports(self) -> Sequence[tuple[int, int]]:
        (port,) = free_ports(1)
        return [(port, self.port)]

    @abstractmethod
    def start_again(self, index: int = 0) -> None:
        """Start it again after its process was killed, at the same address and without any data."""

    def finish(self) -> None:
        """Start it again if it was killed, and wait until it answers."""
        if not self.child.is_running:
            self.start_again()
        wait_until_listening(self.child, self.port, START_TIMEOUT_S)

    def check(self) -> None:
        """Raise ServiceFailed if it has ended by itself."""
        self.child.check()

    def stop(self) -> None:
        self.child.stop()
