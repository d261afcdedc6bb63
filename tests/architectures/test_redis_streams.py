"""Redis streams, read on from the last position."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest
import redis

import architectures.redis_streams
from architectures.clients.send_queue import BATCH_MAX
from architectures.interface import HISTORY_MAX_BYTES, BadTopology, Delivery, GoneForGood, Rejected, Services, Topology
from architectures.redis_streams import RedisStreams
from harness.services.redis.server import RedisServer


def broken(problem: BaseException) -> None:
    pytest.fail(f"the reader gave up: {problem}")


def cut_off_readers(redis_server: RedisServer) -> None:
    with redis.Redis(port=redis_server.port) as owner:
        for client in owner.client_list():
            if client["cmd"] == "xread":
                owner.client_kill_filter(_id=client["id"])


def test_what_is_looked_back_at_is_the_latest_in_order_and_bounded_in_bytes(redis_server: RedisServer) -> None:
    async def scenario(count: int, size_bytes: int) -> list[int]:
        topology = Topology(run_id=f"back-{size_bytes}", gateways=1)
        architecture = RedisStreams(Services(redis_url=redis_server.url), topology, 0)
        heard: list[Delivery] = []
        await architecture.open(heard.extend, broken, lambda _rooms: None)
        await architecture.join("room")
        for number in range(count):
            await architecture.publish("room", (b"%04d" % number).ljust(size_bytes, b"."))
        async with asyncio.timeout(10):
            while len(heard) < count:  # noqa: ASYNC110 - of what is delivered, in batches of any size
                await asyncio.sleep(0.01)
        told = await architecture.history("room", 0.0)
        await architecture.close()
        return [int(payload[:4]) for payload in told]

    try:
        assert asyncio.run(scenario(450, 10)) == list(range(450)), "three pages"
        most = HISTORY_MAX_BYTES // 100_000 + 1  # a little more than the bound, so that one sees that there was more
        assert asyncio.run(scenario(60, 100_000)) == list(range(60 - most, 60))
    finally:
        redis_server.stop()


def test_a_connection_that_is_cut_off_loses_nothing_and_doubles_nothing(redis_server: RedisServer) -> None:
    heard: list[Delivery] = []

    async def scenario() -> None:
        whole = asyncio.Event()

        def deliver(batch: Sequence[Delivery]) -> None:
            heard.extend(batch)
            if len(heard) >= 20:
                whole.set()

        architecture = RedisStreams(Services(redis_url=redis_server.url), Topology(run_id="cut", gateways=1), 0)
        await architecture.open(deliver, broken, lambda _rooms: None)
        await architecture.publish("room", b"before anybody came")
        await architecture.join("room")
        for number in range(20):
            await architecture.publish("room", b"%d" % number)
            if number % 5 == 0:
                cut_off_readers(redis_server)
        await asyncio.wait_for(whole.wait(), 10)
        await architecture.leave("room")
        await architecture.publish("room", b"after everybody left")
        await asyncio.sleep(0.1)
        await architecture.close()

    try:
        asyncio.run(scenario())
        assert heard == [Delivery("room", b"%d" % number) for number in range(20)]
        with redis.Redis(port=redis_server.port) as owner:
            assert all(owner.ttl(key) > 24 * 3600 for key in owner.scan_iter()), "nothing stays for ever"
    finally:
        redis_server.stop()


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"options": {"keep": 0.5}}, "keep is 0.5, but it must be a whole number"),
        ({"options": {"keep": "all"}}, "keep is all, but it must be a whole number"),
    ],
)
def test_what_it_cannot_be_is_said(given: dict[str, object], says: str) -> None:
    with pytest.raises(BadTopology, match=says):
        RedisStreams.check(Topology(run_id="r", gateways=1, **given))  # type: ignore[arg-type]  # as the case has it


def test_a_redis_that_stays_away_ends_the_gateway(redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("architectures.redis_streams.AWAY_MAX_S", 0.2)
    problems: list[BaseException] = []
    given_up = asyncio.Event()

    def failed(problem: BaseException) -> None:
        problems.append(problem)
        given_up.set()

    def deliver(_batch: Sequence[Delivery]) -> None:
        pytest.fail("nothing was said")

    async def scenario() -> None:
        architecture = RedisStreams(Services(redis_url=redis_server.url), Topology(run_id="away", gateways=1), 0)
        await architecture.open(deliver, failed, lambda _rooms: None)
        redis_server.child.kill()
        await asyncio.wait_for(given_up.wait(), 10)
        await architecture.close()

    asyncio.run(scenario())
    assert isinstance(problems[0], OSError | redis.RedisError)


def test_a_stream_that_is_deleted_while_it_is_in_use_ends_the_gateway_with_its_name(redis_server: RedisServer) -> None:
    problems: list[BaseException] = []

    async def scenario() -> None:
        architecture = RedisStreams(Services(redis_url=redis_server.url), Topology(run_id="del", gateways=1), 0)
        await architecture.open(lambda _batch: None, problems.append, lambda _rooms: None)
        await architecture.publish("room", b"before")
        with redis.Redis(port=redis_server.port) as owner:
            owner.delete("del-room:room")
            with pytest.raises(Rejected):
                await architecture.publish("room", b"after")
            assert not owner.exists("del-room:room"), "it was not made anew, without an end"
        await architecture.close()

    try:
        asyncio.run(scenario())
        (problem,) = problems
        assert isinstance(problem, GoneForGood)
        assert "the stream del-room:room was deleted from Redis" in str(problem)
    finally:
        redis_server.stop()


def test_a_redis_that_begins_anew_has_deleted_nothing(redis_server: RedisServer) -> None:
    """However many batches wait for it: none of their messages is taken, and the next one is."""
    problems: list[BaseException] = []

    async def scenario() -> None:
        architecture = RedisStreams(Services(redis_url=redis_server.url), Topology(run_id="anew", gateways=1), 0)
        await architecture.open(lambda _batch: None, problems.append, lambda _rooms: None)
        await architecture.publish("room", b"before")
        redis_server.child.pause()
        waiting = [asyncio.create_task(architecture.publish("room", b"waits")) for _ in range(3 * BATCH_MAX)]
        await asyncio.sleep(0)  # all of them wait in the publisher, and Redis answers none
        redis_server.child.kill()
        redis_server.finish()
        answers = await asyncio.gather(*waiting, return_exceptions=True)
        assert all(isinstance(answer, Rejected) for answer in answers)
        await architecture.publish("room", b"after")
        await architecture.publish("room", b"and on")
        with redis.Redis(port=redis_server.port) as owner:
            assert owner.xlen("anew-room:room") == 2
        await architecture.close()

    try:
        asyncio.run(scenario())
        assert problems == []
    finally:
        redis_server.stop()


def test_a_room_that_lives_for_days_keeps_its_stream_and_one_that_is_dead_does_not(
    redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario() -> None:
        architecture = RedisStreams(Services(redis_url=redis_server.url), Topology(run_id="old", gateways=1), 0)
        await architecture.open(lambda _batch: None, broken, lambda _rooms: None)
        await architecture.publish("room", b"on the first day")
        with redis.Redis(port=redis_server.port) as owner:
            owner.expire("old-room:room", 100)  # as after nearly two days
            await architecture.publish("room", b"a moment later")
            assert owner.ttl("old-room:room") <= 100
            monkeypatch.setattr(architectures.redis_streams, "EXPIRE_EVERY_S", 0.0)
            await architecture.publish("room", b"an hour later")
            assert owner.ttl("old-room:room") > 100
            assert all(owner.ttl(key) > 0 for key in owner.scan_iter()), "nothing is kept for ever"
        await architecture.close()

    try:
        asyncio.run(scenario())
    finally:
        redis_server.stop()


def test_redis_that_begins_anew_without_what_was_said_is_no_deletion(redis_server: RedisServer) -> None:
    async def scenario() -> None:
        architecture = RedisStreams(Services(redis_url=redis_server.url), Topology(run_id="anew", gateways=1), 0)
        await architecture.open(lambda _batch: None, broken, lambda _rooms: None)
        await architecture.publish("room", b"before")
        redis_server.child.kill()
        redis_server.start_again()
        async with asyncio.timeout(30):
            while True:
                try:
                    await architecture.publish("room", b"after")
                    break
                except Rejected:
                    await asyncio.sleep(0.05)
        await architecture.publish("room", b"and again")
        await architecture.close()

    try:
        asyncio.run(scenario())
    finally:
        redis_server.stop()
