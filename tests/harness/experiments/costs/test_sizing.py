"""How many gateways a chat needs, and what no number of gateways can carry."""

from __future__ import annotations

import numpy as np
import pytest

from harness.experiments.costs.cheapest import rank
from harness.experiments.costs.fit import Prediction
from harness.experiments.costs.gateway_size import GatewaySize
from harness.experiments.costs.model import fit
from harness.experiments.costs.reach import extrapolations
from harness.experiments.costs.sizing import ChatSize, rooms_on_the_fullest, sized
from tests.harness.experiments.costs.made_up import EXACT_POINTS, MESSAGE, PUSH

MODEL = fit(EXACT_POINTS)


def limits(arch: str, chat: ChatSize, gateway: GatewaySize | None = None) -> list[tuple[str, str]]:
    return [(each.part, each.unit) for each in sized(MODEL, arch, chat, gateway or GatewaySize()).limits]


def test_a_gateway_holds_so_many_members_and_uses_so_many_cores() -> None:
    chat = ChatSize(rooms=10_000, members_per_room=5, rate_per_s=100)
    by_members = sized(MODEL, "redis", chat, GatewaySize(members_max=5000)).workload
    assert by_members is not None
    assert by_members.gateways == 10
    busy = ChatSize(rooms=2000, members_per_room=5, rate_per_s=4000)
    few, many = (sized(MODEL, "redis", busy, GatewaySize(cores_max=each)).workload for each in (0.8, 0.25))
    assert few is not None
    assert many is not None
    assert 2 <= few.gateways < many.gateways


@pytest.mark.parametrize("arch", ["plan1", "kafka-broadcast"])
def test_where_each_gateway_reads_everything_its_consumer_is_the_limit(arch: str) -> None:
    chat = ChatSize(rooms=1_000_000, members_per_room=5, rate_per_s=100_000)
    (limit,) = sized(MODEL, arch, chat).limits
    assert limit.part == "reader"
    assert "reads all 100,000 messages/s" in str(limit)
    assert "only to the gateways with members of its room" in limit.lifted_by
    assert sized(MODEL, "plan2", chat).feasible


def test_a_room_must_fit_on_its_owner_and_smaller_rooms_do() -> None:
    assert limits("plan2", ChatSize(1, 1_000_000, 1)) == [("owner", "members")]
    busy = ChatSize(rooms=1, members_per_room=9000, rate_per_s=20)
    (limit,) = sized(MODEL, "plan2", busy).limits
    assert (limit.part, limit.unit) == ("owner", "cores")
    fits = int(limit.lifted_by.removeprefix("rooms of at most ").removesuffix(" members").replace(",", ""))
    assert limits("plan2", ChatSize(1, fits, 20)) == []
    assert limits("plan2", ChatSize(1, 1.1 * fits, 20)) == [("owner", "cores")]
    assert limits("redis", busy) == []


def test_all_of_a_room_is_relayed_by_one_gateway() -> None:
    hot = ChatSize(rooms=1, members_per_room=2, rate_per_s=2 * 0.5e6 / MESSAGE)
    (limit,) = sized(MODEL, "kafka-redis", hot).limits
    assert limit.part == "relay"
    assert limit.lifted_by.startswith("rooms with at most ")
    apart = ChatSize(rooms=1000, members_per_room=2, rate_per_s=hot.rate_per_s)
    assert limits("kafka-redis", apart) == []


def test_one_redis_is_one_thread_and_shards_lift_that_if_no_room_is_too_hot() -> None:
    chat = ChatSize(rooms=2000, members_per_room=100, rate_per_s=4000)
    found = sized(MODEL, "redis", chat)
    (limit,) = found.limits
    assert found.workload is not None
    assert limit.part == "redis"
    assert limit.needed > 4000 * 19 * PUSH / 1e6
    assert limit.lifted_by.endswith("shards, with redis-sharded")
    (other,) = sized(MODEL, "kafka-redis", chat).limits
    assert "which kafka-redis does not use" in other.lifted_by


def test_a_single_room_too_hot_for_redis_is_not_helped_by_shards() -> None:
    room = ChatSize(rooms=1, members_per_room=40_000, rate_per_s=900)
    (limit,) = (each for each in sized(MODEL, "redis", room, GatewaySize(members_max=500)).limits)
    assert limit.what == "the one Redis server that a room's channel is on"
    assert "shards" not in limit.lifted_by


def test_whole_rooms_are_on_a_gateway_and_chance_puts_more_on_one() -> None:
    three = sized(MODEL, "plan2", ChatSize(rooms=3, members_per_room=6000, rate_per_s=1)).workload
    assert three is not None
    assert three.gateways == 3, "two of them would exceed 10,000 members on a gateway"
    assert rooms_on_the_fullest(1, 100) == 1
    assert 15 < rooms_on_the_fullest(1000, 100) < 25


def test_beyond_is_measured_per_gateway_as_well() -> None:
    chat = ChatSize(rooms=1, members_per_room=float(EXACT_POINTS["members"].max()), rate_per_s=5)
    assert extrapolations(chat, [2], EXACT_POINTS) == []
    (alone,) = extrapolations(chat, [1], EXACT_POINTS)
    assert (alone.what, alone.times) == ("members on a gateway", 2.0)


def predictions(**draws: list[float]) -> dict[str, Prediction]:
    return {name: Prediction(float(np.mean(each)), np.array(each)) for name, each in draws.items()}


def test_probabilities_come_from_paired_draws() -> None:
    wide = [1.0, 10.0, 100.0, 1000.0]
    found = rank(predictions(one=wide, other=[1.5 * each for each in wide]))
    assert found.probability == {"one": 1.0, "other": 0.0}, "always half as much again, however wide the intervals"
    assert found.choice == ["one"]
    assert rank(predictions(a=[1.0, 3.0, 1.0, 1.0], b=[2.0, 2.0, 2.0, 2.0])).probability["a"] == 0.75


def test_a_difference_of_one_percent_is_no_winner() -> None:
    found = rank(predictions(one=[1.0] * 4, other=[1.01] * 4, third=[1.2] * 4))
    assert (found.choice, found.equal) == (["one", "other"], True)


def test_what_may_be_cheaper_or_dearer_by_far_cannot_be_told_apart() -> None:
    found = rank(predictions(one=[1.0] * 5, other=[0.5, 0.6, 0.7, 2.0, 2.0]))
    assert (found.choice, found.equal) == (["one", "other"], False)


def test_a_tie_counts_in_equal_parts_and_nobody_is_nobody() -> None:
    assert rank(predictions(one=[1.0, 1.0], other=[1.0, 1.0])).probability == {"one": 0.5, "other": 0.5}
    assert rank({}).choice == []
