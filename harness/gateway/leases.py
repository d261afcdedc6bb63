"""Leases: each gateway of a fleet holds a lease on its place, in a store that all of them share.

A lease has one holder and expires LEASE_S after its last renewal. A place whose lease has not expired cannot be
acquired by another gateway.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import msgspec

LEASE_S = 4.0


class Holder(msgspec.Struct, frozen=True):
    """A gateway that holds a place, as it describes itself."""

    token: str  # identifies the gateway's process
    url: str
    shape: str  # the settings that must be equal for all gateways of a fleet, as text for people
    serving: bool  # whether members may connect


class StoreAway(Exception):
    """The store of the leases does not answer; it may come back."""


class LeaseStore(Protocol):
    """Keeps one lease for each place. Every method raises StoreAway or GoneForGood."""

    async def acquire(self, place: int, holder: Holder) -> bool:
        """Take a free place; returns False if the place is not free."""

    async def renew(self, place: int, holder: Holder) -> bool:
        """Extend the lease and update the holder's description; returns False if the place is not this holder's."""

    async def release(self, place: int, holder: Holder) -> None:
        """Free the place if it is this holder's."""

    async def holders(self) -> Mapping[int, Holder]:
        """Return the holders by place."""


def encoded(holder: Holder) -> bytes:
    return msgspec.json.encode(holder)


def decoded(value: bytes | None) -> Holder | None:
    """Decode a holder; returns None for anything else, since other programs may write to the store too."""
    if value is None:
        return None
    try:
        return msgspec.json.decode(value, type=Holder)
    except msgspec.DecodeError:
        return None
