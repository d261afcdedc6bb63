"""Which gateway of a fleet is which: gateways on many hosts agree on their places, and learn each other's addresses.

They tell each other over anything that carries a word to all of them (see roster_ways.py). Who wants a place listens
first, claims one that nobody holds, and has it when nobody has objected for a while. Whoever holds a place says so
again and again, and it falls to others when nothing was heard of it for long. Should two come to hold the same after
all, as when one was cut off, the one with the greater token gives up.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable
from typing import Literal

import msgspec

HERE_EVERY_S = 0.5
LISTEN_S = 1.2  # whoever is there has said so by then
OBJECT_S = 1.0  # and whoever objects to a claim
FORGOTTEN_AFTER_S = 4.0
PLACE_TIMEOUT_S = 30.0


class Word(msgspec.Struct, frozen=True):
    """What gateways of a fleet tell each other."""

    kind: Literal["claim", "here", "gone"]
    token: str  # of the gateway's process
    place: int
    url: str
    shape: str  # what all gateways of a fleet must be alike in, for people
    serving: bool  # members may come


def word_of(told: bytes) -> Word | None:
    """None for what is no word."""
    try:
        return msgspec.json.decode(told, type=Word)
    except msgspec.DecodeError:
        return None


class NoPlace(Exception):
    """This gateway cannot be, or not remain, in the fleet; the text says why, for the user."""


class Heard(msgspec.Struct):
    """The gateway that was last heard of at a place."""

    token: str
    url: str
    serving: bool
    last_s: float


class Roster:
    """One gateway's view of its fleet. `take_place`, then `serve`, and `leave` in the end."""

    def __init__(self, places: int, url: str, shape: str, tell: Callable[[bytes], Awaitable[None]]) -> None:
        """`tell` carries a word to all gateways of the fleet, this one included."""
        self._places = places
        self._url = url
        self._shape = shape
        self._tell = tell
        self.token = secrets.token_hex(8)
        self._heard: dict[int, Heard] = {}
        self._claimed: int | None = None
        self._holds = False
        self._serving = False
        self._keeping: asyncio.Task[None] | None = None
        self._lost: asyncio.Future[NoPlace] = asyncio.get_running_loop().create_future()
        self._objecting: set[asyncio.Task[None]] = set()
        self.addresses: dict[int, str] = {}  # the latest at each place, and never forgotten: away is not moved

    def serving(self) -> dict[int, str]:
        """URLs by place, of all gateways where members may come."""
        others = {place: who.url for place, who in self._alive().items() if who.serving}
        return others | ({self._claimed: self._url} if self._serving and self._claimed is not None else {})

    def _alive(self) -> dict[int, Heard]:
        """The others, by place, who were heard of lately."""
        now_s = time.monotonic()
        return {place: who for place, who in self._heard.items() if now_s - who.last_s < FORGOTTEN_AFTER_S}

    async def take_place(self, wanted: int | None = None) -> int:
        """Returns the place that is this gateway's from now on: that one, or the first that is free.

        Raises NoPlace.
        """
        deadline = time.monotonic() + PLACE_TIMEOUT_S
        await self._wait(LISTEN_S)
        while True:
            place = self._free_place(wanted)
            if place is None:
                if time.monotonic() > deadline:
                    raise NoPlace(self._taken(wanted))
                await self._wait(HERE_EVERY_S)  # somebody's time may run out
                continue
            self._claimed = place
            await self._say("claim")
            await self._wait(OBJECT_S)
            if self._claimed == place:
                self._holds = True
                self.addresses[place] = self._url
                self._keeping = asyncio.create_task(self._keep_place())
                return place

    def _free_place(self, wanted: int | None) -> int | None:
        alive = self._alive()
        candidates = range(self._places) if wanted is None else (wanted,)
        return next((place for place in candidates if place not in alive), None)

    def _taken(self, wanted: int | None) -> str:
        alive = {place: who.url for place, who in self._alive().items()}
        if wanted is not None:
            return f"place {wanted} is held by {alive.get(wanted, 'another gateway')}; name another --place"
        return f"all {self._places} places are taken, by {', '.join(alive.values())}; use more --gateways, for all"

    async def _wait(self, seconds: float) -> None:
        done, _ = await asyncio.wait([self._lost], timeout=seconds)
        if done:
            raise self._lost.result()

    async def _keep_place(self) -> None:
        while not self._lost.done():
            await self._say("here")
            await asyncio.sleep(HERE_EVERY_S)

    async def serve(self) -> None:
        """From now on members may come. Waits until the place is lost, if ever, and raises NoPlace then."""
        self._serving = True
        raise await asyncio.shield(self._lost)

    async def leave(self) -> None:
        """The place is free for others at once."""
        if self._keeping is not None:
            self._keeping.cancel()
            self._holds = self._serving = False
            await self._say("gone")

    async def _say(self, kind: Literal["claim", "here", "gone"]) -> None:
        assert self._claimed is not None
        await self._tell(
            msgspec.json.encode(Word(kind, self.token, self._claimed, self._url, self._shape, self._serving))
        )

    # --- what the others say

    def hear(self, told: bytes) -> None:
        """What `tell` has carried here. What is no word is passed over: others may write there too."""
        word = word_of(told)
        if word is None or word.token == self.token:
            return
        if word.kind == "gone":
            who = self._heard.get(word.place)
            if who is not None and who.token == word.token:
                del self._heard[word.place]
            return
        if word.shape != self._shape:
            self.lose(f"the fleet's gateway at {word.url} is {word.shape}, and this one {self._shape}; start it alike")
            return
        if word.place == self._claimed and not self._contest(word):
            return
        self._heard[word.place] = Heard(word.token, word.url, word.serving, time.monotonic())
        if word.kind == "here":
            self.addresses[word.place] = word.url

    def _contest(self, word: Word) -> bool:
        """Somebody else is at our place, or wants it; returns whether it is theirs."""
        if self._holds:
            if word.kind == "here" and word.token < self.token:
                self.lose(f"its place in the fleet was taken by {word.url} while it was cut off; start it again")
                return True
            objection = asyncio.create_task(self._say("here"))
            self._objecting.add(objection)
            objection.add_done_callback(self._objecting.discard)
            return False
        if word.kind == "here" or word.token < self.token:
            self._claimed = None
            return True
        return False

    def lose(self, why: str) -> None:
        """The place, or the hope of one, is gone: who waits for it, or keeps it, gets NoPlace."""
        if not self._lost.done():
            self._lost.set_result(NoPlace(why))
