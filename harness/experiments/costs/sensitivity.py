"""How the choice depends on the size of a gateway, which often decides between architectures."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from harness.experiments.costs.cheapest import rank
from harness.experiments.costs.fit import Interval
from harness.experiments.costs.gateway_size import GatewaySize
from harness.experiments.costs.model import Model
from harness.experiments.costs.reach import extrapolations
from harness.experiments.costs.sizing import ChatSize, sized

MEMBERS_PER_GATEWAY = (1_000, 2_000, 5_000, 10_000, 20_000, 50_000)
CORES_PER_GATEWAY = (0.25, 0.5, 0.8)


class ChoiceBySize(msgspec.Struct, frozen=True, kw_only=True):
    """The choice among architectures on two gateways or more, with gateways of one size."""

    members_per_gateway: int
    cores_per_gateway: float
    choice: list[str]  # empty: none is feasible
    cores: Interval | None  # of the cheapest; None: none is feasible
    extrapolated_times: float  # how far the furthest size lies beyond those measured; 1: within


def sensitivity(model: Model, architectures: Sequence[str], chat: ChatSize) -> list[ChoiceBySize]:
    """The choice among these architectures for each size of a gateway."""
    return [
        _with(model, architectures, chat, GatewaySize(members, cores))
        for members in MEMBERS_PER_GATEWAY
        for cores in CORES_PER_GATEWAY
    ]


def _with(model: Model, architectures: Sequence[str], chat: ChatSize, gateway: GatewaySize) -> ChoiceBySize:
    every = [sized(model, arch, chat, gateway) for arch in architectures]
    costs = {each.arch: each.cores for each in every if each.feasible}
    choice = rank(costs).choice
    gateways = [each.workload.gateways for each in every if each.feasible and each.workload]
    further = extrapolations(chat, gateways, model.points)
    return ChoiceBySize(
        members_per_gateway=gateway.members_max,
        cores_per_gateway=gateway.cores_max,
        choice=choice,
        cores=costs[choice[0]].interval if choice else None,
        extrapolated_times=max((each.times for each in further), default=1.0),
    )
