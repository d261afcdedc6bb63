"""Which of a test's members are of which class, as every part of the driver knows it."""

from __future__ import annotations

import msgspec


class ClassPlan(msgspec.Struct, frozen=True):
    """How many members of one class Locust will spawn on each of its processes, by their rank."""

    name: str
    first: int  # the number of its first member; the others follow, class by class
    on_workers: list[int]

    @property
    def members(self) -> int:
        return sum(self.on_workers)

    def place(self, rank: int, count: int) -> int:
        """Where in the class the member stands that this worker spawns after so many others of it.

        0 <= place < members. Workers take turns, as long as they have members left to spawn, so that neighbours are on
        different ones.
        """
        before = sum(min(of_one, count) for of_one in self.on_workers)
        return before + sum(of_one > count for of_one in self.on_workers[:rank])


class MessageKind(msgspec.Struct, frozen=True):
    """A kind of message: what members of one class say, and what they call it."""

    member: str  # the class's name
    name: str
