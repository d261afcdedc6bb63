"""Membership of a fleet: gateways on many hosts agree on their places, and learn each other's addresses.

A gateway holds its place by a lease (see leases.py), which it renews regularly. A gateway that was suspended or cut off
for longer than its lease takes the place again if it is free, and otherwise ends. A gateway whose shape differs from
that of the fleet cannot join it.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import time
from collections.abc import Mapping

from architectures.interface import GoneForGood
from harness.gateway.leases import Holder, LeaseStore, StoreAway

RENEW_EVERY_S = 0.5
PLACE_TIMEOUT_S = 30.0


class NoPlace(Exception):
    """This gateway cannot join the fleet, or cannot stay in it; the text says why, for the user."""


class Membership:
    """One gateway's membership of its fleet. Call `take_place`, then `serve`, and finally `leave`."""

    def __init__(self, places: int, url: str, shape: str, store: LeaseStore) -> None:
        self._places = places
        self._url = url
        self._shape = shape
        self._store = store
        self._token = secrets.token_hex(8)
        self._serving = False
        self._leaving = False
        self._place: int | None = None
        self._others: dict[int, Holder] = {}
        self._renewing: asyncio.Task[None] | None = None
        self._lost: asyncio.Future[NoPlace] = asyncio.get_running_loop().create_future()
        self.addresses: dict[int, str] = {}  # the last known URL of each place; kept while its gateway is away

    def serving(self) -> dict[int, str]:
        """Return the URLs, by place, of all gateways to which members may connect."""
        others = {place: other.url for place, other in self._others.items() if other.serving}
        return others | ({self._place: self._url} if self._serving and self._place is not None else {})

    def _own_holder(self) -> Holder:
        return Holder(self._token, self._url, self._shape, self._serving)

    async def take_place(self, wanted: int | None = None) -> int:
        """Take the place `wanted`, or the first free place, and return it.

        Waits up to PLACE_TIMEOUT_S for a lease to expire. Raises NoPlace or GoneForGood.
        """
        deadline = time.monotonic() + PLACE_TIMEOUT_S
        why = ""
        while time.monotonic() < deadline:
            try:
                await self._refresh()
                place = await self._acquire_one_of(range(self._places) if wanted is None else (wanted,))
                if place is not None:
                    self._renewing = asyncio.create_task(self._renew_forever(place))
                    return place
                why = self._why_none(wanted)
            except StoreAway as problem:
                why = f"no place in the fleet could be taken, because {problem}; is it still running?"
            await asyncio.sleep(RENEW_EVERY_S)  # a lease may expire
        raise NoPlace(why)

    async def _acquire_one_of(self, places: range | tuple[int]) -> int | None:
        """Take the first free place of these, if there is one; raises NoPlace if the fleet has another shape."""
        self._check_shape(self._others)
        for place in places:
            if place not in self._others and await self._store.acquire(place, self._own_holder()):
                self._place = place
                await self._refresh()
                try:
                    # If two gateways of different shapes join at once, the one with the lower place stays.
                    self._check_shape({other: who for other, who in self._others.items() if other < place})
                except NoPlace:
                    await self._store.release(place, self._own_holder())
                    raise
                return place
        return None

    def _check_shape(self, others: Mapping[int, Holder]) -> None:
        for other in others.values():
            if other.shape != self._shape:
                raise NoPlace(
                    f"the fleet's gateway at {other.url} is {other.shape}, but this one is {self._shape}; "
                    "start it with the same settings"
                )

    def _why_none(self, wanted: int | None) -> str:
        if wanted is not None:
            holder = self._others.get(wanted)
            return f"place {wanted} is held by {holder.url if holder else 'another gateway'}; name another --place"
        urls = ", ".join(other.url for other in self._others.values())
        return f"all {self._places} places are taken, by {urls}; start all gateways with a larger --gateways"

    async def _refresh(self) -> None:
        holders = await self._store.holders()
        self._others = {place: holder for place, holder in holders.items() if holder.token != self._token}
        alike = {place: holder.url for place, holder in holders.items() if holder.shape == self._shape}
        self.addresses.update(alike)

    async def _renew_forever(self, place: int) -> None:
        while not self._leaving:
            try:
                if not await self._store.renew(place, self._own_holder()):
                    await self._take_again(place)
                await self._refresh()
            except NoPlace as problem:
                self.lose(problem)
                return
            except StoreAway:
                pass  # keep what is known of the others, and try again
            except Exception as problem:  # noqa: BLE001 - a gateway that lost its place must not go on serving
                self.lose(NoPlace(f"its place in the fleet could not be kept: {problem}"))
                return
            await asyncio.sleep(RENEW_EVERY_S)

    async def _take_again(self, place: int) -> None:
        """Take the place again after its lease has expired; raises NoPlace if another gateway has it now."""
        if not await self._store.acquire(place, self._own_holder()):
            await self._refresh()
            by = self._others[place].url if place in self._others else "another gateway"
            raise NoPlace(f"its place in the fleet was taken by {by} while it was away; start it again")

    async def serve(self) -> None:
        """Announce that members may connect, and wait. Raises NoPlace if the place is lost."""
        self._serving = True
        raise await asyncio.shield(self._lost)

    async def leave(self) -> None:
        """Release the place, so that another gateway can take it at once."""
        if self._renewing is None or self._place is None:
            return
        self._leaving = True  # a client may take the cancellation for a timeout, and swallow it
        self._renewing.cancel()
        await asyncio.wait([self._renewing])  # a renewal in progress would come after the release
        with contextlib.suppress(StoreAway, GoneForGood):  # the lease will expire
            await self._store.release(self._place, self._own_holder())

    def lose(self, why: NoPlace) -> None:
        """Make `serve` raise `why`, because the place is lost."""
        if not self._lost.done():
            self._lost.set_result(why)
