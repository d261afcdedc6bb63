"""Members get their numbers and places without coordination, on any number of Locust processes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from harness.ipc.class_plan import ClassPlan


@given(st.lists(st.integers(0, 40), min_size=1, max_size=6))
def test_every_place_of_a_class_is_taken_once(on_workers: list[int]) -> None:
    plan = ClassPlan("Viewer", 0, on_workers)
    places = [plan.place(rank, count) for rank, members in enumerate(on_workers) for count in range(members)]
    assert sorted(places) == list(range(plan.members))


def test_neighbours_are_on_different_workers() -> None:
    plan = ClassPlan("Viewer", 0, [3, 2, 2])
    assert [[plan.place(rank, count) for count in range(members)] for rank, members in enumerate(plan.on_workers)] == [
        [0, 3, 6],
        [1, 4],
        [2, 5],
    ]
