"""direct: the baseline without a broker.

    member -> gateway -> the gateway's own members

There is one gateway and no backend, so the only cost is that of the gateway and of the driver. No other architecture
can cost less.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar

from architectures.interface import (
    Architecture,
    BadTopology,
    Delivery,
    Promises,
    Requirements,
    Role,
    Services,
    Topology,
)
from architectures.routes import Route, Scene, within_one_gateway


class Direct(Architecture):
    name: ClassVar[str] = "direct"
    summary: ClassVar[str] = "baseline: one gateway hands the message to its own members, no broker"
    requires: ClassVar[Requirements] = Requirements(gateways_max=1)
    promises: ClassVar[Promises] = Promises(everyone=True, once=True, ordered=True, durable_ack=False)

    _deliver: Callable[[Sequence[Delivery]], None]
    role: ClassVar[Role] = Role.FLOOR
    colour: ClassVar[str] = "#999999"

    @classmethod
    def route(cls, scene: Scene) -> Route:
        return within_one_gateway(scene)

    @classmethod
    def check(cls, topology: Topology) -> None:
        if topology.gateways != 1:
            raise BadTopology(
                f"direct has nothing between gateways, so it runs with one gateway, not {topology.gateways}; "
                "use --gateways 1"
            )

    @classmethod
    def provision(cls, services: Services, topology: Topology) -> None:
        cls.check(topology)

    async def open(
        self,
        deliver: Callable[[Sequence[Delivery]], None],
        failed: Callable[[BaseException], None],
        moved: Callable[[Sequence[str]], None],
    ) -> None:
        self._deliver = deliver

    async def publish(self, room: str, payload: bytes) -> None:
        self._deliver([Delivery(room, payload)])

    async def join(self, room: str) -> None:
        """Do nothing: every message of the room passes through this gateway already."""

    async def leave(self, room: str) -> None:
        """Do nothing; see join."""

    def owner(self, room: str) -> int | None:
        return None

    async def close(self) -> None:
        """Do nothing: there are no connections and no waiting messages."""
