"""How many times each architecture writes and reads a message."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.core.registry import architecture_names
from harness.experiments.costs.workload import Workload, activity, has_unit_costs, random_spread


@given(st.floats(1, 1e6), st.integers(1, 1000))
def test_a_room_is_on_at_least_one_gateway_and_at_most_on_all_or_one_a_member(members: float, gateways: int) -> None:
    assert 1 - 1e-9 <= random_spread(members, gateways) <= min(members, gateways) + 1e-9


def test_two_members_on_two_gateways_are_apart_half_of_the_time() -> None:
    assert random_spread(2, 2) == 1.5


@pytest.mark.parametrize(
    ("arch", "records", "fetches", "commands", "copies"),
    [
        ("plan1", 40, 40, 0, 40),
        ("plan2", 10, 10, 0, 10),
        ("kafka-broadcast", 10, 40, 0, 40),
        ("redis", 0, 0, 10, 20),
        ("kafka-redis", 10, 10, 10, 20),
    ],
)
def test_ten_messages_on_four_gateways_two_of_them_with_members(
    arch: str, records: float, fetches: float, commands: float, copies: float
) -> None:
    workload = Workload(rooms=5, members_per_room=6, rate_per_s=10, payload_bytes=100, gateways=4, spread=2)
    done = activity(arch, workload, frames_per_write=2, records_per_request=1)
    assert (done.records, done.fetches, done.commands, done.copies) == (records, fetches, commands, copies)
    assert (done.deliveries, done.writes) == (60, 30)


def test_unit_costs_are_known_of_what_uses_kafka_and_redis_alone() -> None:
    assert {name for name in architecture_names() if not has_unit_costs(name)} == {"direct", "faulty", "nats"}
    assert not has_unit_costs("socketio"), "a peer is no architecture"
