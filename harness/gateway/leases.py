"""What gateways of a fleet agree on their places by: a lease of each, in something that all of them share.

A lease is had by one, until it ends by itself LEASE_S after it was last renewed. Who has it never needs to argue:
whoever wants a place that is leased does not get it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import msgspec

LEASE_S = 4.0


class Holder(msgspec.Struct, frozen=True):
    """Who has a place, as it says itself."""

    token: str  # of the gateway's process
    url: str
    shape: str  # what all gateways of a fleet must be alike in, for people
    serving: bool  # members may come


class StoreAway(Exception):
    """What the leases are kept in does not answer; it may come back."""


class LeaseStore(Protocol):
    """Keeps one lease for each place. Every method raises StoreAway, or GoneForGood."""

    async def acquire(self, place: int, holder: Holder) -> bool:
        """Returns whether that holder has the place now, which nobody had."""

    async def renew(self, place: int, holder: Holder) -> bool:
        """Have the place for longer, with what the holder says of itself now; False: it is not that holder's."""

    async def release(self, place: int, holder: Holder) -> None:
        """If it is that holder's, it is nobody's from now on."""

    async def holders(self) -> Mapping[int, Holder]:
        """Who has which place."""


def encoded(holder: Holder) -> bytes:
    return msgspec.json.encode(holder)


def decoded(told: bytes | None) -> Holder | None:
    """None for what is no holder: others may write there too."""
    if told is None:
        return None
    try:
        return msgspec.json.decode(told, type=Holder)
    except msgspec.DecodeError:
        return None
