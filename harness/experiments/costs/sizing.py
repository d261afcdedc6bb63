"""How many gateways a chat needs with an architecture, or why no number of gateways is enough."""

from __future__ import annotations

import math
from dataclasses import dataclass

import pandas as pd

from harness.core.registry import load_candidate
from harness.core.units import figure_text
from harness.experiments.costs.components import GATEWAY_CPU
from harness.experiments.costs.model import Model
from harness.experiments.costs.workload import Workload, random_spread

# The tick of a gateway stays short while its event loop is busy for less than this: see harness.gateway.adaptive_tick.
GATEWAY_CORES_MAX = 0.5
MEMBERS_PER_GATEWAY_MAX = 10_000  # the most that were measured on one gateway
GATEWAYS_MIN = 2
GATEWAYS_MAX = 1_000_000


@dataclass(frozen=True, slots=True)
class ChatSize:
    """The chat to be sized: equal rooms, and the rate of messages in all of them together."""

    rooms: int
    members_per_room: float
    rate_per_s: float
    payload_bytes: int = 100

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
        )


class Impossible(Exception):
    """No number of gateways is enough. The text says why."""


def bytes_from_a_gateway_per_s(points: pd.DataFrame) -> float:
    """The highest rate of payload bytes that a gateway of these runs wrote to its members."""
    deliveries = points["publishes_per_s"] * points["members"] / points["rooms"]
    return float((deliveries * points["payload_bytes"] / points["gateways"]).max())


@dataclass(frozen=True, slots=True)
class OneGateway:
    """The members and the predicted cores of a chat that fits on a single gateway."""

    members: float
    cores: float


def on_one(model: Model, chat: ChatSize) -> OneGateway | None:
    """The chat on a single gateway without a backend, or None if one gateway is not enough.

    The prediction includes the cost of a backend's client, so it is an upper bound. The limit on bytes is the most that
    was measured on one gateway.
    """
    members = chat.rooms * chat.members_per_room
    cores = min(model.predict(GATEWAY_CPU, arch, chat.on(1)).value for arch in model.architectures) / 1e6
    fits = (
        members <= MEMBERS_PER_GATEWAY_MAX
        and cores <= GATEWAY_CORES_MAX
        and chat.bytes_to_members_per_s <= bytes_from_a_gateway_per_s(model.points)
    )
    return OneGateway(members, cores) if fits else None


def sized(model: Model, arch: str, chat: ChatSize) -> Workload:
    """The workload of the chat on as many gateways as it needs. Raises Impossible."""
    if load_candidate(arch).rooms_have_owners:
        _check_a_room_fits(model, arch, chat)
    gateways = max(GATEWAYS_MIN, math.ceil(chat.rooms * chat.members_per_room / MEMBERS_PER_GATEWAY_MAX))
    while gateways <= GATEWAYS_MAX:
        workload = chat.on(gateways)
        needed = math.ceil(model.predict(GATEWAY_CPU, arch, workload).value / GATEWAY_CORES_MAX / 1e6)
        if needed <= gateways:
            return workload
        gateways = max(needed, gateways + 1)
    raise Impossible(f"every gateway reads everything, and {chat.rate_per_s:,g} messages/s are too many for one")


def _check_a_room_fits(model: Model, arch: str, chat: ChatSize) -> None:
    """Raise Impossible if a room, which must be on one gateway, is too large for it."""
    alone = ChatSize(1, chat.members_per_room, chat.rate_per_s / chat.rooms, chat.payload_bytes)
    cores = model.predict(GATEWAY_CPU, arch, alone.on(1)).value / 1e6
    if cores > GATEWAY_CORES_MAX or chat.members_per_room > MEMBERS_PER_GATEWAY_MAX:
        raise Impossible(
            f"all of a room must be on one gateway, and a room of {chat.members_per_room:,.0f} members with "
            f"{figure_text(alone.rate_per_s)} messages/s would take {figure_text(cores)} cores there"
        )
