"""What is raised by a search, and what rises with it."""

from __future__ import annotations

import pytest

from harness.core.settings import RunSettings
from harness.experiments.axis import Bounds, Over

GIVEN = RunSettings(arch="redis", members=100, rooms=20, rate_per_s=50.0)


@pytest.mark.parametrize(
    ("over", "rooms", "members", "rate_per_s"),
    [
        (Over.RATE, 20, 100, 40.0),
        (Over.GATEWAYS, 20, 100, 40.0),
        (Over.MEMBERS, 20, 40, 50.0),
        (Over.ROOMS, 40, 200, 100.0),
    ],
)
def test_only_what_is_raised_rises(over: Over, rooms: int, members: int, rate_per_s: float) -> None:
    raised = over.applied(GIVEN, 40.0)
    assert (raised.rooms, raised.members, raised.rate_per_s) == (rooms, members, rate_per_s)
    assert over.of(raised) == 40


def test_rooms_may_rise_until_there_are_too_many_members_or_messages() -> None:
    assert Over.ROOMS.bounds(GIVEN) == Bounds(1, 20_000)  # of 100,000 members
    busy = RunSettings(arch="redis", members=100, rooms=20, rate_per_s=20_000.0)
    assert Over.ROOMS.bounds(busy) == Bounds(1, 1000)  # of 1,000,000 messages/s


def test_a_room_of_which_two_make_a_member_is_not_tried_alone() -> None:
    assert Over.ROOMS.bounds(RunSettings(arch="redis", members=10, rooms=10)).least == 2


@pytest.mark.parametrize(("over", "rounded"), [(Over.RATE, 1235.0), (Over.ROOMS, 1235.0), (Over.MEMBERS, 1235.0)])
def test_loads_are_round(over: Over, rounded: float) -> None:
    assert over.rounded(1234.9) == rounded
