"""kafka-redis on real backends: a gateway reads from Kafka the messages that Redis did not pass on."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest
import redis

import architectures.clients.kafka_missed
from architectures.interface import Requirements, Services
from architectures.kafka_redis import KafkaRedis
from chatbench.testing.gateways import Gateways, Member, opened
from harness.services.backends import Backends

REQUIRES = Requirements(kafka=True, redis=True)


@pytest.fixture
def services(backends: Backends) -> Services:
    return backends.services_for(REQUIRES)


class Killer:
    """Closes subscriptions at Redis, as Redis does with a client that does not read fast enough."""

    def __init__(self, services: Services) -> None:
        assert services.redis_url is not None
        self.redis = redis.Redis.from_url(services.redis_url)

    def kill_one(self) -> None:
        """The oldest: that of the gateway which has heard longest."""
        subscribers = [client for client in self.redis.client_list() if int(client["sub"]) > 0]
        if subscribers:
            with suppress(redis.ResponseError):  # it has gone by itself
                self.redis.client_kill_filter(_id=min(subscribers, key=lambda each: int(each["id"]))["id"])

    def kill_all(self) -> None:
        self.redis.client_kill_filter(_type="pubsub")


async def speak(running: Gateways, members: list[Member], count: int) -> None:
    """Each says `who:0`, `who:1`, …, one after the other."""
    for number in range(count):
        await asyncio.gather(*(running.say(each, f"{who}:{number}".encode()) for who, each in enumerate(members)))


def heard_all_once_in_order(members: list[Member], count: int) -> bool:
    for member in members:
        for who, sender in enumerate(members):
            if sender.room == member.room:
                from_it = [told for told in member.heard if told.startswith(b"%d:" % who)]
                if from_it != [b"%d:%d" % (who, number) for number in range(count)]:
                    return False
    return True


@pytest.mark.parametrize("whom", ["kill_one", "kill_all"])
def test_when_redis_closes_subscriptions_nothing_acked_is_lost_or_comes_twice(services: Services, whom: str) -> None:
    killer = Killer(services)

    async def scenario() -> None:
        async with opened(KafkaRedis, services) as running:
            members = [await running.join(f"room-{number}", number % 3) for number in range(4) for _ in range(2)]
            members += [await running.join(f"room-{number}", (number + 1) % 3) for number in range(4)]
            speaking = asyncio.create_task(speak(running, members, 300))
            while not speaking.done():
                await asyncio.to_thread(getattr(killer, whom))
                await asyncio.sleep(0.3)
            await speaking
            await running.until(lambda: all(len(member.heard) >= 3 * 300 for member in members))
            assert heard_all_once_in_order(members, 300)

    asyncio.run(scenario())


def test_what_comes_while_a_gateway_catches_up_may_be_more_than_it_holds(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(architectures.clients.kafka_missed, "HELD_MAX_BYTES", 200)
    killer = Killer(services)

    async def scenario() -> None:
        async with opened(KafkaRedis, services) as running:
            members = [await running.join("room", number) for number in range(3)]
            speaking = asyncio.create_task(speak(running, members, 300))
            while not speaking.done():
                await asyncio.to_thread(killer.kill_all)
                await asyncio.sleep(0.3)
            await speaking
            await running.until(lambda: all(len(member.heard) >= 3 * 300 for member in members))
            assert heard_all_once_in_order(members, 300)

    asyncio.run(scenario())


def test_who_joins_while_its_gateway_is_out_of_touch_hears_what_is_said_from_then_on(services: Services) -> None:
    killer = Killer(services)

    async def scenario() -> None:
        async with opened(KafkaRedis, services) as running:
            speaker = await running.join("room", 0)
            for turn in range(10):
                await running.say(speaker, b"before %d" % turn)
                await asyncio.to_thread(killer.kill_all)
                guest = await running.join("room", 1)
                await running.say(speaker, b"after %d" % turn)
                await running.until(lambda guest=guest: len(guest.heard) >= 1)  # type: ignore[misc]  # mypy cannot tell
                assert guest.heard[-1] == b"after %d" % turn
                await running.leave(guest)
            await running.until(lambda: len(speaker.heard) >= 20)
            assert speaker.heard == [b"%s %d" % (when, turn) for turn in range(10) for when in (b"before", b"after")]

    asyncio.run(scenario())
