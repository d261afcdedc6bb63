"""redis-sharded on a real cluster: each room is on one node, and a node that returns is subscribed to again."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from architectures.clients.redis_address import RedisAddress
from architectures.clients.redis_cluster import SLOTS, NotACluster, find_shards
from architectures.interface import Delivery, Rejected, Services, Topology
from architectures.redis_sharded import RedisSharded
from harness.services.redis.cluster import NODES, RedisCluster
from harness.services.redis.server import start_redis


@pytest.fixture
def redis_cluster(tmp_path: Path) -> Iterator[RedisCluster]:
    cluster = RedisCluster.begin(tmp_path, tmp_path, proxied=False)
    try:
        cluster.finish()
        yield cluster
    finally:
        cluster.stop()


def published(redis_cluster: RedisCluster) -> list[int]:
    """By node."""
    counts = []
    for node in redis_cluster.nodes:
        with redis.Redis.from_url(node.url) as client:
            counts.append(int(client.info("commandstats").get("cmdstat_spublish", {}).get("calls", 0)))
    return counts


async def opened(redis_cluster: RedisCluster, heard: list[Delivery]) -> RedisSharded:
    architecture = RedisSharded(Services(redis_url=redis_cluster.url), Topology(run_id="shards", gateways=1), 0)
    await architecture.open(heard.extend, lambda problem: pytest.fail(str(problem)), lambda _rooms: None)
    return architecture


async def until_heard(heard: list[Delivery], count: int) -> None:
    async with asyncio.timeout(30):
        while len(heard) < count:  # noqa: ASYNC110 - what arrives is only seen by looking
            await asyncio.sleep(0.01)


def test_rooms_are_spread_over_the_nodes_and_each_message_is_on_one_of_them(redis_cluster: RedisCluster) -> None:
    rooms = [f"room-{number}" for number in range(60)]

    async def scenario() -> None:
        heard: list[Delivery] = []
        architecture = await opened(redis_cluster, heard)
        for room in rooms:
            await architecture.join(room)
            await architecture.publish(room, room.encode())
        await until_heard(heard, len(rooms))
        await architecture.close()
        assert {delivery.room for delivery in heard} == set(rooms)

    asyncio.run(scenario())
    counts = published(redis_cluster)
    assert sum(counts) == len(rooms)
    assert all(counts)


def test_a_node_that_comes_back_is_listened_to_again(redis_cluster: RedisCluster) -> None:
    async def scenario() -> None:
        heard: list[Delivery] = []
        architecture = await opened(redis_cluster, heard)
        rooms = [f"room-{number}" for number in range(12)]
        for room in rooms:
            await architecture.join(room)
        redis_cluster.nodes[0].child.kill()
        refused = 0
        for room in rooms:
            try:
                await architecture.publish(room, b"during")
            except Rejected:
                refused += 1
        assert 0 < refused < len(rooms), "the rooms of the other nodes go on"
        await asyncio.to_thread(redis_cluster.finish)
        for room in rooms:
            while True:
                try:
                    await architecture.publish(room, b"after")
                    break
                except Rejected:
                    await asyncio.sleep(0.05)
        async with asyncio.timeout(30):
            # Redis takes a message while nobody listens again yet: so it is said until it is heard.
            while {delivery.room for delivery in heard if delivery.payload == b"after"} != set(rooms):
                for room in rooms:
                    await architecture.publish(room, b"after")
                await asyncio.sleep(0.05)
        await architecture.close()

    asyncio.run(scenario())


def test_the_shards_of_a_cluster_are_all_of_its_slots(redis_cluster: RedisCluster) -> None:
    shards = asyncio.run(find_shards(RedisAddress.parse(redis_cluster.url)))
    assert len(shards) == NODES
    assert all(sum(slot in shard for shard in shards) == 1 for slot in range(0, SLOTS, 97))


def test_one_server_is_no_cluster(tmp_path: Path) -> None:
    server = start_redis(tmp_path, tmp_path / "redis.log")
    try:
        with pytest.raises(NotACluster, match="no node of the Redis cluster reports its slots"):
            asyncio.run(find_shards(RedisAddress.parse(f"redis+cluster://127.0.0.1:{server.port}")))
    finally:
        server.stop()
