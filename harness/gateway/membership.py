"""Which gateway of a fleet is which: gateways on many hosts agree on their places, and learn each other's addresses.

A place is had by a lease (see leases.py), which its gateway renews again and again. A gateway that was away for longer
than its lease, suspended or cut off, takes the place again if nobody has it, and ends if somebody has. Whoever
is of another shape than the gateways that are there does not come in, and they do not mind.
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
    """This gateway cannot be, or not remain, in the fleet; the text says why, for the user."""


class Membership:
    """One gateway's view of its fleet. `take_place`, then `serve`, and `leave` in the end."""

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
        self._keeping: asyncio.Task[None] | None = None
        self._lost: asyncio.Future[NoPlace] = asyncio.get_running_loop().create_future()
        self.addresses: dict[int, str] = {}  # the latest at each place, and never forgotten: away is not moved

    def serving(self) -> dict[int, str]:
        """URLs by place, of all gateways where members may come."""
        others = {place: other.url for place, other in self._others.items() if other.serving}
        return others | ({self._place: self._url} if self._serving and self._place is not None else {})

    def _itself(self) -> Holder:
        return Holder(self._token, self._url, self._shape, self._serving)

    async def take_place(self, wanted: int | None = None) -> int:
        """Returns the place that is this gateway's from now on: that one, or the first that is free.

        Raises NoPlace or GoneForGood.
        """
        deadline = time.monotonic() + PLACE_TIMEOUT_S
        why = ""
        while time.monotonic() < deadline:
            try:
                await self._look()
                place = await self._acquire_one_of(range(self._places) if wanted is None else (wanted,))
                if place is not None:
                    self._keeping = asyncio.create_task(self._keep(place))
                    return place
                why = self._taken(wanted)
            except StoreAway as problem:
                why = f"no place in the fleet could be had, because {problem}; is it still there?"
            await asyncio.sleep(RENEW_EVERY_S)  # a lease may end
        raise NoPlace(why)

    async def _acquire_one_of(self, places: range | tuple[int]) -> int | None:
        """Raises NoPlace if the fleet is of another shape."""
        self._must_be_alike(self._others)
        for place in places:
            if place not in self._others and await self._store.acquire(place, self._itself()):
                self._place = place
                await self._look()
                try:
                    # Of two that came in at once the one with the lower place stays.
                    self._must_be_alike({other: who for other, who in self._others.items() if other < place})
                except NoPlace:
                    await self._store.release(place, self._itself())
                    raise
                return place
        return None

    def _must_be_alike(self, others: Mapping[int, Holder]) -> None:
        for other in others.values():
            if other.shape != self._shape:
                raise NoPlace(
                    f"the fleet's gateway at {other.url} is {other.shape}, and this one {self._shape}; start it alike"
                )

    def _taken(self, wanted: int | None) -> str:
        if wanted is not None:
            holder = self._others.get(wanted)
            return f"place {wanted} is held by {holder.url if holder else 'another gateway'}; name another --place"
        urls = ", ".join(other.url for other in self._others.values())
        return f"all {self._places} places are taken, by {urls}; use more --gateways, for all"

    async def _look(self) -> None:
        holders = await self._store.holders()
        self._others = {place: holder for place, holder in holders.items() if holder.token != self._token}
        alike = {place: holder.url for place, holder in holders.items() if holder.shape == self._shape}
        self.addresses.update(alike)

    async def _keep(self, place: int) -> None:
        while not self._leaving:
            try:
                if not await self._store.renew(place, self._itself()):
                    await self._take_again(place)
                await self._look()
            except NoPlace as problem:
                self.lose(problem)
                return
            except StoreAway:
                pass  # the others are where they were, and the next time it may be back
            except Exception as problem:  # noqa: BLE001 - a gateway without its place must not look like one with it
                self.lose(NoPlace(f"its place in the fleet could not be kept: {problem}"))
                return
            await asyncio.sleep(RENEW_EVERY_S)

    async def _take_again(self, place: int) -> None:
        """The lease has ended; raises NoPlace if somebody else has it now."""
        if not await self._store.acquire(place, self._itself()):
            await self._look()
            by = self._others[place].url if place in self._others else "another gateway"
            raise NoPlace(f"its place in the fleet was taken by {by} while it was away; start it again")

    async def serve(self) -> None:
        """From now on members may come. Waits until the place is lost, if ever, and raises NoPlace then."""
        self._serving = True
        raise await asyncio.shield(self._lost)

    async def leave(self) -> None:
        """The place is free for others at once."""
        if self._keeping is None or self._place is None:
            return
        self._leaving = True  # a client may take the cancellation for an answer that did not come in time
        self._keeping.cancel()
        await asyncio.wait([self._keeping])  # a renewal that is under way would come after the release
        with contextlib.suppress(StoreAway, GoneForGood):  # then the lease ends by itself
            await self._store.release(self._place, self._itself())

    def lose(self, why: NoPlace) -> None:
        """The place is gone: who keeps it gets NoPlace."""
        if not self._lost.done():
            self._lost.set_result(why)
