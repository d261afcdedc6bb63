"""How far the sizes of a chat lie beyond any that were measured."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec
import pandas as pd

from harness.core.units import figure_text
from harness.experiments.costs.sizing import ChatSize, bytes_from_a_gateway_per_s

TIMES_MAX = 10  # beyond this, a prediction is no reason to prefer one
SAME = 1.01  # measured rates are a little below those that were asked for


class Extrapolation(msgspec.Struct, frozen=True, kw_only=True):
    """A size that exceeds every measured one."""

    what: str
    asked: float
    measured: float  # the largest
    times: float

    def __str__(self) -> str:
        return (
            f"{_number(self.asked)} {self.what}, measured up to {_number(self.measured)}: "
            f"{figure_text(self.times)} times further"
        )


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else figure_text(value)


def extrapolations(chat: ChatSize, gateways: Sequence[int], points: pd.DataFrame) -> list[Extrapolation]:
    """The sizes for which a prediction extrapolates, the furthest first; `gateways` are those of each architecture."""
    found = [
        Extrapolation(what=what, asked=asked, measured=most, times=asked / most)
        for what, asked, most in _sizes(chat, gateways, points)
        if asked > SAME * most
    ]
    return sorted(found, key=lambda each: -each.times)


def _sizes(chat: ChatSize, gateways: Sequence[int], points: pd.DataFrame) -> Iterator[tuple[str, float, float]]:
    """Each size: what it is, that of the chat, and the largest that was measured."""
    members_per_room = points["members"] / points["rooms"]
    deliveries_per_s = points["publishes_per_s"] * members_per_room
    yield "members", chat.members, float(points["members"].max())
    yield "rooms", chat.rooms, float(points["rooms"].max())
    yield "members in a room", chat.members_per_room, float(members_per_room.max())
    yield "messages per second", chat.rate_per_s, float(points["publishes_per_s"].max())
    in_a_room_per_s = float((points["publishes_per_s"] / points["rooms"]).max())
    yield "messages per second in a room", chat.rate_per_s / chat.rooms, in_a_room_per_s
    if not gateways:
        return
    yield "gateways", max(gateways), float(points["gateways"].max())
    fewest = min(gateways)
    yield "members on a gateway", chat.members / fewest, float((points["members"] / points["gateways"]).max())
    most_deliveries_per_s = float((deliveries_per_s / points["gateways"]).max())
    wanted_per_s = chat.rate_per_s * chat.members_per_room / fewest
    yield "deliveries per second of a gateway", wanted_per_s, most_deliveries_per_s
    if chat.payload_bytes > points["payload_bytes"].max():
        bytes_per_s = chat.bytes_to_members_per_s / fewest
        yield "bytes per second to a gateway's members", bytes_per_s, bytes_from_a_gateway_per_s(points)
