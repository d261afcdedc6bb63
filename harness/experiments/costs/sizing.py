"""How many gateways a chat needs with an architecture, or why no number of gateways is enough."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass, replace

import pandas as pd
from scipy.stats import binom

from harness.core.registry import load_candidate
from harness.experiments.costs.components import CPU_COMPONENTS, GATEWAY_CPU
from harness.experiments.costs.fit import NOTHING, Prediction
from harness.experiments.costs.gateway_size import USUAL, GatewaySize
from harness.experiments.costs.limits import (
    MANY_GATEWAYS,
    THREAD_CORES_MAX,
    Limit,
    limits_of,
    limits_of_redis,
    owner_cores,
)
from harness.experiments.costs.model import Model
from harness.experiments.costs.traffic import scaled
from harness.experiments.costs.workload import Workload, random_spread

GATEWAYS_MIN = 2


@dataclass(frozen=True, slots=True)
class ChatSize:
    """The chat to be sized: equal rooms but for the hottest, and the rate of messages in all of them together."""

    rooms: int
    members_per_room: float
    rate_per_s: float
    payload_bytes: int = 100
    replicas: int = 1  # brokers that keep each record
    # How many times as many members and messages as the mean room the hottest room has.
    hottest_members_times: float = 1.0
    hottest_rate_times: float = 1.0

    @property
    def hottest_room(self) -> ChatSize:
        """The hottest room alone."""
        return replace(
            self,
            rooms=1,
            members_per_room=self.hottest_members_times * self.members_per_room,
            rate_per_s=self.hottest_rate_times * self.rate_per_s / self.rooms,
            hottest_members_times=1.0,
            hottest_rate_times=1.0,
        )

    @property
    def members(self) -> float:
        return self.rooms * self.members_per_room

    @property
    def bytes_to_members_per_s(self) -> float:
        """Bytes of payloads alone, without any overhead."""
        return self.rate_per_s * self.members_per_room * self.payload_bytes

    def on(self, gateways: int) -> Workload:
        """The workload with members spread at random over this number of gateways."""
        return Workload(
            rooms=self.rooms,
            members_per_room=self.members_per_room,
            rate_per_s=self.rate_per_s,
            payload_bytes=self.payload_bytes,
            gateways=gateways,
            spread=random_spread(self.members_per_room, gateways),
            replicas=self.replicas,
        )


def bytes_from_a_gateway_per_s(points: pd.DataFrame) -> float:
    """The highest rate of payload bytes that a gateway of these runs wrote to its members."""
    deliveries = points["publishes_per_s"] * points["members"] / points["rooms"]
    return float((deliveries * points["payload_bytes"] / points["gateways"]).max())


@dataclass(frozen=True, slots=True)
class OneGateway:
    """The members and the predicted cores of a chat that fits on a single gateway."""

    members: float
    cores: float


def on_one(model: Model, chat: ChatSize, gateway: GatewaySize) -> OneGateway | None:
    """The chat on a single gateway without a backend, or None if one gateway is not enough.

    The prediction includes the cost of a backend's client, so it is an upper bound. The limit on bytes is the most that
    was measured on one gateway.
    """
    cores = min(model.predict(GATEWAY_CPU, arch, chat.on(1)).value for arch in model.architectures) / 1e6
    fits = (
        chat.members <= gateway.members_max
        and cores <= gateway.cores_max
        and chat.bytes_to_members_per_s <= bytes_from_a_gateway_per_s(model.points)
    )
    return OneGateway(chat.members, cores) if fits else None


@dataclass(frozen=True, slots=True)
class Sized:
    """A chat with one architecture, on as many gateways as it needs. It is feasible if it has no limits."""

    arch: str
    workload: Workload | None  # None: no number of gateways is enough
    cores_of: Mapping[str, Prediction]  # by part: gateway, kafka, redis
    limits: list[Limit]

    @property
    def cores(self) -> Prediction:
        return sum(self.cores_of.values(), NOTHING)

    @property
    def feasible(self) -> bool:
        return not self.limits


def sized(model: Model, arch: str, chat: ChatSize, gateway: GatewaySize = USUAL) -> Sized:
    """The chat with this architecture, on the fewest gateways of which each carries no more than it may."""
    if limits := limits_of(model, arch, chat.on(GATEWAYS_MIN), chat.hottest_room.on(GATEWAYS_MIN), gateway):
        return Sized(arch, None, {}, limits)
    workload = chat.on(_gateways(model, arch, chat, gateway))
    cores_of = {
        part.name.split()[0]: scaled(model.predict(part, arch, workload), 1e-6)
        for part in CPU_COMPONENTS
        if part.uses(arch)
    }
    return Sized(
        arch, workload, cores_of, list(limits_of_redis(model, arch, workload, chat.hottest_room.on(workload.gateways)))
    )


def _gateways(model: Model, arch: str, chat: ChatSize, gateway: GatewaySize) -> int:
    """The fewest gateways that are enough.

    Where rooms have owners, whole rooms must fit, and the gateway that owns the most by chance must keep up.
    """
    has_owners = load_candidate(arch).rooms_have_owners

    def enough(gateways: int) -> bool:
        workload = chat.on(gateways)
        if model.predict(GATEWAY_CPU, arch, workload).value > 1e6 * gateway.cores_max * gateways:
            return False
        if not has_owners:
            return True
        rooms, at_random = math.ceil(chat.rooms / gateways), rooms_on_the_fullest(chat.rooms, gateways)
        return (
            rooms * chat.members_per_room <= gateway.members_max
            and owner_cores(model, arch, workload, rooms) <= gateway.cores_max
            and owner_cores(model, arch, workload, at_random) <= max(THREAD_CORES_MAX, gateway.cores_max)
        )

    least = max(GATEWAYS_MIN, math.ceil(chat.members / gateway.members_max))
    most = least
    while not enough(most) and most < MANY_GATEWAYS:
        least, most = most + 1, 2 * most
    return bisect_left(range(most), True, lo=least, key=enough) if most > least else least


def rooms_on_the_fullest(rooms: int, gateways: int) -> int:
    """The median number of rooms on the gateway that owns the most, if each room is on a random gateway.

    With n gateways, half a gateway is expected to own more than this: the 1 - 1/(2n) quantile of a binomial.
    """
    return max(1, math.ceil(rooms / gateways), int(binom.isf(0.5 / gateways, rooms, 1 / gateways)))
