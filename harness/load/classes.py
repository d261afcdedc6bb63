"""The classes of a scenario's members: the number of members in each, the rooms they need, their kinds of message."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from locust import User
from locust.dispatch import UsersDispatcher
from locust.runners import WorkerNode

from harness.ipc.class_plan import ClassPlan, MessageKind
from harness.ledger.reports import KINDS_MAX
from harness.load.mistakes import ScenarioMistake


def plan_classes(classes: Sequence[type[User]], members: int, workers: Sequence[str]) -> list[ClassPlan]:
    """Return how Locust's own dispatcher spreads the members, by weight and fixed_count. Raises ScenarioMistake."""
    # The dispatcher takes users per second; with the rate equal to the number, its first step is the final state.
    dispatcher = UsersDispatcher([WorkerNode(id=each) for each in workers], list(classes))
    dispatcher.new_dispatch(members, spawn_rate=members)
    spread = next(dispatcher)
    plans: list[ClassPlan] = []
    first = 0
    for name in sorted(each.__name__ for each in classes):
        plan = ClassPlan(name, first, [spread[worker][name] for worker in workers])
        plans.append(plan)
        first += plan.members
    if first < members:
        raise ScenarioMistake(
            f"its classes make up only {first} of {members} members, by their fixed_count and weight; "
            "give one a weight and no fixed_count, or ask for fewer members"
        )
    return plans


def rooms_for(classes: Sequence[type[Any]], members: int) -> int:
    """Return the number of rooms for so many members: the largest of the classes' numbers. Raises ScenarioMistake."""
    most = 1
    for each in classes:
        rooms = each.rooms_for(members)
        if isinstance(rooms, bool) or not isinstance(rooms, int) or not 1 <= rooms <= members:
            raise ScenarioMistake(
                f"{each.__name__}.rooms_for({members}) returned {rooms!r:.60}, but it must return a whole number "
                f"from 1 to {members}",
                each.rooms_for,
            )
        most = max(most, rooms)
    return most


def kinds_of(classes: Sequence[type[Any]]) -> list[MessageKind]:
    """Return a scenario's kinds; the index is the number that each message's id contains. Raises ScenarioMistake."""
    kinds = [
        MessageKind(each.__name__, name)
        for each in sorted(classes, key=lambda each: each.__name__)
        for name in each.kinds
    ]
    if len(kinds) > KINDS_MAX:
        raise ScenarioMistake(
            f"its classes have {len(kinds)} kinds of message in all, but at most {KINDS_MAX} can be told apart"
        )
    return kinds
