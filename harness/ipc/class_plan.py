"""Which members of a test belong to which class. Every process of the driver uses the same plan."""

from __future__ import annotations

import msgspec


class ClassPlan(msgspec.Struct, frozen=True):
    """How many members of one class Locust will spawn on each of its processes."""

    name: str
    first: int  # the number of the class's first member; its other members have the numbers that follow
    on_workers: list[int]  # members on each Locust process, by rank

    @property
    def members(self) -> int:
        return sum(self.on_workers)

    def place(self, rank: int, count: int) -> int:
        """Return the place in the class, 0 <= place < members, of the member that worker `rank` spawns after `count`.

        Workers take turns as long as they have members left to spawn, so that neighbours are on different workers.
        """
        before = sum(min(of_one, count) for of_one in self.on_workers)
        return before + sum(of_one > count for of_one in self.on_workers[:rank])


class MessageKind(msgspec.Struct, frozen=True):
    """One kind of message that members of one class send."""

    member: str  # the name of the class
    name: str  # the name that the class gives to this kind
