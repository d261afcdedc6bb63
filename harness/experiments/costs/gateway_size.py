"""How much one gateway may carry."""

from __future__ import annotations

from dataclasses import dataclass

# The tick of a gateway stays short while its event loop is busy for less than this: see harness.gateway.adaptive_tick.
GATEWAY_CORES_MAX = 0.5
MEMBERS_PER_GATEWAY_MAX = 10_000


@dataclass(frozen=True, slots=True)
class GatewaySize:
    """The most members that a gateway may hold, and the most cores that it may use."""

    members_max: int = MEMBERS_PER_GATEWAY_MAX
    cores_max: float = GATEWAY_CORES_MAX


USUAL = GatewaySize()
