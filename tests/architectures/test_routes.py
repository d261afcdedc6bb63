"""The route of one message through each architecture."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from architectures.interface import Role
from architectures.routes import Route, Scene
from harness.core.registry import architecture_names, load_architecture
from harness.experiments.costs.workload import Transfers

EVERY = architecture_names()


def route_of(name: str, gateways: int, listening: int, room: str = "final") -> Route:
    scene = Scene(gateways, partitions=gateways, room=room, sender=0, listening=range(listening))
    return load_architecture(name).route(scene)


@pytest.mark.parametrize("name", EVERY)
@given(st.integers(1, 9), st.data())
def test_transfers_are_as_many_as_the_straight_line_says_that_the_cost_model_counts(
    name: str, gateways: int, data: st.DataObject
) -> None:
    listening = data.draw(st.integers(1, gateways))
    route = route_of(name, gateways, listening)
    counted = (len(route.records), len(route.fetches), len(route.commands), len(route.copies))
    assert Transfers.of(name, gateways, listening) == counted


@pytest.mark.parametrize("name", EVERY)
@given(st.integers(1, 9), st.data(), st.text(max_size=20))
def test_a_route_has_no_gap_and_ends_at_every_member_unless_it_is_the_control(
    name: str, gateways: int, data: st.DataObject, room: str
) -> None:
    listening = data.draw(st.integers(1, gateways))
    route = route_of(name, gateways, listening, room)
    come_to = {route.sent[0].start}
    for arrows in (route.sent, route.records, route.fetches, route.commands, route.copies, route.heard):
        assert {arrow.start for arrow in arrows} <= come_to
        come_to |= {arrow.end for arrow in arrows}
    control = load_architecture(name).role is Role.CONTROL
    assert len(route.unreached) == (listening - 1 if control else 0)


def test_plan1_writes_to_every_partition_and_reads_each_once_also_where_a_gateway_has_two() -> None:
    route = load_architecture("plan1").route(Scene(2, partitions=4, room="r", sender=1, listening=[0]))
    assert len(route.records) == len(route.fetches) == 4
    assert [arrow.wasted for arrow in route.fetches] == [False, False, True, True]
