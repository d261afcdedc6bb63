"""Errors of a real Redis: the true cause is reported at once, and no message is refused that could still be sent."""

from __future__ import annotations

import asyncio

import pytest
import redis

from architectures.interface import Architecture, GoneForGood, Rejected, Services, Topology
from architectures.redis_pubsub import RedisPubSub
from architectures.redis_streams import RedisStreams
from harness.services.redis.server import RedisServer

IDLE_S = 1
MAY_SPEAK = ("+@all", "~*", "&*")
NO_CHANNELS = ("+@all", "~*", "resetchannels")


def opened(
    architecture: type[Architecture], redis_server: RedisServer, problems: list[BaseException], user: str = ""
) -> Architecture:
    url = redis_server.url.replace("redis://", f"redis://{user}@") if user else redis_server.url
    return architecture(Services(redis_url=url), Topology(run_id="r", gateways=1), 0)


def connections_made(owner: redis.Redis) -> int:
    return int(owner.info("stats")["total_connections_received"])


def acl(redis_server: RedisServer, *rules: str) -> redis.Redis:
    owner = redis.Redis(port=redis_server.port)
    owner.execute_command("ACL", "SETUSER", "guest", "on", "nopass", "reset", "on", "nopass", *rules)  # type: ignore[no-untyped-call]  # redis-py's
    return owner


def test_a_user_that_may_not_listen_is_told_so_when_the_gateway_opens(redis_server: RedisServer) -> None:
    owner = acl(redis_server, *NO_CHANNELS)
    before = connections_made(owner)

    async def scenario() -> None:
        architecture = opened(RedisPubSub, redis_server, [], "guest:x")
        with pytest.raises(GoneForGood, match=r"Redis forbids its user to SUBSCRIBE 'r-gateway:0'.*ACL SETUSER"):
            await architecture.open(lambda _batch: None, lambda _problem: None, lambda _rooms: None)

    asyncio.run(scenario())
    assert connections_made(owner) - before < 5


def test_a_right_that_is_taken_away_meanwhile_ends_the_gateway_at_once(redis_server: RedisServer) -> None:
    owner = acl(redis_server, *MAY_SPEAK)
    problems: list[BaseException] = []

    async def scenario() -> int:
        architecture = opened(RedisPubSub, redis_server, problems, "guest:x")
        await architecture.open(lambda _batch: None, problems.append, lambda _rooms: None)
        await architecture.join("room")
        await architecture.publish("room", b"allowed")
        before = connections_made(owner)
        acl(redis_server, *NO_CHANNELS)  # and Redis closes the connections that are subscribed to what is forbidden now
        async with asyncio.timeout(30):
            while not problems:  # noqa: ASYNC110 - seen only by looking
                await asyncio.sleep(0.01)
        made = connections_made(owner) - before
        with pytest.raises(Rejected):
            await architecture.publish("room", b"forbidden")
        await architecture.close()
        return made

    assert asyncio.run(scenario()) < 5
    assert all(isinstance(problem, GoneForGood) for problem in problems)
    assert "forbids its user" in str(problems[0])


@pytest.mark.parametrize("architecture", [RedisPubSub, RedisStreams])
def test_a_connection_that_was_closed_while_it_was_idle_costs_no_message(
    architecture: type[Architecture], redis_server: RedisServer
) -> None:
    owner = redis.Redis(port=redis_server.port)
    problems: list[BaseException] = []

    def gateways_connections() -> int:
        return sum(client["cmd"] in {"publish", "xadd", "expire"} for client in owner.client_list())

    async def scenario() -> None:
        gateway = opened(architecture, redis_server, problems)
        await gateway.open(lambda _batch: None, problems.append, lambda _rooms: None)
        await gateway.publish("room", b"first")
        assert gateways_connections() > 0
        owner.config_set("timeout", IDLE_S)
        async with asyncio.timeout(30):
            while gateways_connections():  # noqa: ASYNC110 - seen only by looking
                await asyncio.sleep(0.1)
        owner.config_set("timeout", 0)
        await asyncio.sleep(0.1)  # the end of the connection arrives
        await gateway.publish("room", b"second")
        for _ in range(20):
            owner.client_kill_filter(_type="normal", skipme=True)
            await asyncio.sleep(0.01)
            await gateway.publish("room", b"and more")
        await gateway.close()

    asyncio.run(scenario())
    assert problems == []


def test_a_connection_that_breaks_refuses_the_messages_under_way_and_no_others(
    redis_server: RedisServer,
) -> None:
    owner = redis.Redis(port=redis_server.port)

    async def scenario() -> None:
        gateway = opened(RedisPubSub, redis_server, [])
        await gateway.open(lambda _batch: None, lambda problem: pytest.fail(str(problem)), lambda _rooms: None)
        owner.client_pause(500)
        under_way = asyncio.create_task(gateway.publish("room", b"nobody knows"))
        await asyncio.sleep(0.05)
        redis_server.child.kill()
        with pytest.raises(Rejected):
            await under_way
        await asyncio.to_thread(redis_server.finish)
        await gateway.publish("room", b"again")
        await gateway.close()

    asyncio.run(scenario())
