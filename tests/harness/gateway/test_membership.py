"""Gateways that agree on their places, by leases in a real Kafka, Redis and NATS."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from itertools import count
from pathlib import Path

import pytest
import redis
from confluent_kafka.admin import AdminClient
from hypothesis import given
from hypothesis import strategies as st

from architectures.interface import GoneForGood, Requirements, Services, Topology
from harness.core.errors import ServiceFailed
from harness.gateway import membership as memberships
from harness.gateway.leases import Holder, LeaseStore, StoreAway
from harness.gateway.leases_kafka import LeaseRecord, LeaseTable, kafka_leases
from harness.gateway.leases_nats import NoJetStream, nats_leases
from harness.gateway.leases_redis import redis_leases
from harness.gateway.membership import Membership, NoPlace
from harness.services.backends import Backends
from harness.services.nats.server import find_nats_server, nats_url_of, start_nats
from harness.services.ports import free_ports
from harness.services.processes import spawn, wait_until_listening

OPEN = Callable[[], contextlib.AbstractAsyncContextManager[LeaseStore]]
PLACES = 3
LEASE_S, RENEW_EVERY_S = 1.0, 0.1  # shorter than the usual, so that the tests are
LEASE_MS = 1000
_fleets = count()


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memberships, "RENEW_EVERY_S", RENEW_EVERY_S)


@pytest.fixture(scope="module", params=["kafka", "redis", "redis cluster", "nats"])
def backend(
    request: pytest.FixtureRequest, backends: Backends, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[str], OPEN]]:
    """Opens stores of the leases of a fleet of that name."""
    match request.param:
        case "kafka":
            kafka = backends.services_for(Requirements(kafka=True))
            yield lambda fleet: lambda: kafka_leases(kafka, topology_of(fleet, PLACES), "membership", LEASE_S)
        case "nats":
            yield from in_nats(tmp_path_factory.mktemp("nats"))
        case redis:
            of_cluster = Requirements(redis=redis == "redis", redis_cluster=redis == "redis cluster")
            url = backends.services_for(of_cluster).redis_url
            assert url is not None
            yield lambda fleet: lambda: redis_leases(url, fleet, PLACES, LEASE_S)


def topology_of(fleet: str, places: int) -> Topology:
    return Topology(run_id=fleet, gateways=places)


def in_nats(folder: Path) -> Iterator[Callable[[str], OPEN]]:
    """Leases take a JetStream, which the NATS of runs is without."""
    try:
        program = find_nats_server()
    except ServiceFailed:
        pytest.skip("there is no nats-server here")
    (port,) = free_ports(1)
    argv = [str(program), "--addr", "127.0.0.1", "--port", str(port), "-js", "--store_dir", str(folder)]
    child = spawn("nats", argv, folder / "nats.log")
    try:
        wait_until_listening(child, port, 15)
        yield lambda fleet: lambda: nats_leases(nats_url_of(port), fleet, PLACES, LEASE_S)
    finally:
        child.stop()


class Cut:
    """A store that can be out of reach."""

    def __init__(self, store: LeaseStore) -> None:
        self._store = store
        self.off = False

    def _must_be_there(self) -> None:
        if self.off:
            raise StoreAway("it is cut off")

    async def acquire(self, place: int, holder: Holder) -> bool:
        self._must_be_there()
        return await self._store.acquire(place, holder)

    async def renew(self, place: int, holder: Holder) -> bool:
        self._must_be_there()
        return await self._store.renew(place, holder)

    async def release(self, place: int, holder: Holder) -> None:
        self._must_be_there()
        await self._store.release(place, holder)

    async def holders(self) -> Mapping[int, Holder]:
        self._must_be_there()
        return await self._store.holders()


class Fleet:
    """Makes memberships of one fleet, each with a way of its own to the leases."""

    def __init__(self, open_store: OPEN, stack: contextlib.AsyncExitStack, places: int) -> None:
        self._open_store = open_store
        self._stack = stack
        self._places = places
        self.ways: dict[str, Cut] = {}

    async def membership(self, name: str, shape: str = "plan1") -> Membership:
        self.ways[name] = Cut(await self._stack.enter_async_context(self._open_store()))
        membership = Membership(self._places, f"ws://{name}", shape, self.ways[name])
        self._stack.push_async_callback(membership.leave)
        return membership


@contextlib.asynccontextmanager
async def fleet(backend: Callable[[str], OPEN], places: int) -> AsyncIterator[Fleet]:
    async with contextlib.AsyncExitStack() as stack:
        yield Fleet(backend(f"chatbench-fleet.test-{next(_fleets)}.all"), stack, places)


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not holds():  # noqa: ASYNC110 - of memberships, which tell nobody
            await asyncio.sleep(0.02)


def test_gateways_that_start_at_once_take_different_places_and_learn_where_the_others_are(
    backend: Callable[[str], OPEN],
) -> None:
    async def scenario() -> None:
        async with fleet(backend, 3) as those:
            gateways = [await those.membership(name) for name in "abc"]
            places = await asyncio.gather(*(each.take_place() for each in gateways))
            assert sorted(places) == [0, 1, 2]
            assert gateways[0].serving() == {}, "they have places, but members may not come yet"
            serving = [asyncio.create_task(each.serve()) for each in gateways]
            by_place = {place: f"ws://{name}" for place, name in zip(places, "abc", strict=True)}
            await until(lambda: all(each.serving() == each.addresses == by_place for each in gateways))
            assert not any(task.done() for task in serving)

    asyncio.run(scenario())


def test_the_place_of_who_leaves_is_free_at_once_and_of_who_vanishes_when_its_lease_has_ended(
    backend: Callable[[str], OPEN],
) -> None:
    async def scenario() -> None:
        async with fleet(backend, 2) as those:
            first, second, third, fourth = [await those.membership(name) for name in "abcd"]
            await first.take_place()
            assert await second.take_place() == 1
            await second.leave()
            began_s = time.monotonic()
            assert await third.take_place() == 1
            assert time.monotonic() - began_s < LEASE_S
            those.ways["c"].off = True
            assert await fourth.take_place(1) == 1
            await until(lambda: first.addresses == {0: "ws://a", 1: "ws://d"})

    asyncio.run(scenario())


def test_who_was_away_for_longer_than_its_lease_yields_to_whoever_has_its_place_and_nobody_else_ends(
    backend: Callable[[str], OPEN],
) -> None:
    async def scenario() -> None:
        async with fleet(backend, 2) as those:
            away, other, newcomer = [await those.membership(name) for name in "abc"]
            assert await away.take_place() == 0
            await other.take_place()
            those.ways["a"].off = True
            assert await newcomer.take_place() == 0
            staying = [asyncio.create_task(each.serve()) for each in (other, newcomer)]
            those.ways["a"].off = False
            with pytest.raises(NoPlace, match="was taken by ws://c while it was away"):
                await asyncio.wait_for(away.serve(), 20)
            await until(lambda: other.serving() == {0: "ws://c", 1: "ws://b"})
            assert not any(task.done() for task in staying)

    asyncio.run(scenario())


def test_who_was_away_for_longer_than_its_lease_has_its_place_again_where_nobody_took_it(
    backend: Callable[[str], OPEN],
) -> None:
    async def scenario() -> None:
        async with fleet(backend, 2) as those:
            away, other = [await those.membership(name) for name in "ab"]
            await away.take_place()
            await other.take_place()
            serving = asyncio.create_task(away.serve())
            await until(lambda: other.serving() == {0: "ws://a"})
            those.ways["a"].off = True
            await until(lambda: other.serving() == {})
            those.ways["a"].off = False
            await until(lambda: other.serving() == {0: "ws://a"})
            assert not serving.done()

    asyncio.run(scenario())


def test_no_place_is_taken_twice_by_a_gateway_too_many(
    backend: Callable[[str], OPEN], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memberships, "PLACE_TIMEOUT_S", 2 * RENEW_EVERY_S)

    async def scenario() -> None:
        async with fleet(backend, 1) as those:
            first, second, third = [await those.membership(name) for name in "abc"]
            await first.take_place()
            with pytest.raises(NoPlace, match="all 1 places are taken, by ws://a; start all gateways with a larger"):
                await second.take_place()
            with pytest.raises(NoPlace, match="place 0 is held by ws://a"):
                await third.take_place(0)

    asyncio.run(scenario())


def test_who_is_of_another_shape_does_not_come_in_and_ends_nobody(backend: Callable[[str], OPEN]) -> None:
    async def scenario() -> None:
        async with fleet(backend, 3) as those:
            first, second, stranger = (
                await those.membership("a"),
                await those.membership("b"),
                await those.membership("c", "plan2"),
            )
            await first.take_place()
            await second.take_place()
            serving = [asyncio.create_task(each.serve()) for each in (first, second)]
            alike = "at ws://a is plan1, but this one is plan2; start it with the same settings"
            with pytest.raises(NoPlace, match=alike):
                await stranger.take_place()
            await asyncio.sleep(2 * RENEW_EVERY_S)
            assert not any(task.done() for task in serving)

    asyncio.run(scenario())


def test_a_topic_of_leases_that_is_deleted_is_told_and_leaving_it_hides_nothing(backends: Backends) -> None:
    async def scenario(services: Services, topology: Topology) -> str:
        async with kafka_leases(services, topology, "membership", LEASE_S) as leases:
            membership = Membership(1, "ws://a", "plan1", leases)
            await membership.take_place()
            admin = AdminClient({"bootstrap.servers": services.kafka_bootstrap or ""})
            admin.delete_topics([topology.topic("membership")])[topology.topic("membership")].result(10)
            with pytest.raises(NoPlace) as lost:
                await asyncio.wait_for(membership.serve(), 60)
            await membership.leave()
            with pytest.raises(GoneForGood):
                await Membership(1, "ws://b", "plan1", leases).take_place()
            return str(lost.value)

    told = asyncio.run(scenario(backends.services_for(Requirements(kafka=True)), topology_of("gone", 1)))
    assert "gone-membership" in told


def test_a_nats_that_keeps_nothing_is_refused_with_what_to_do(tmp_path: Path) -> None:
    try:
        find_nats_server()
    except ServiceFailed:
        pytest.skip("there is no nats-server here")
    server = start_nats(tmp_path / "nats.log")

    async def scenario() -> None:
        async with nats_leases(server.url, "fleet", 2):
            pass

    try:
        server.finish()
        with pytest.raises(NoJetStream, match="start it with -js, or name all gateways with --peers"):
            asyncio.run(scenario())
    finally:
        server.stop()


def word(kind: str, place: int, token: str) -> LeaseRecord:
    return LeaseRecord(kind, place, 0, Holder(token, f"ws://{token}", "plan1", serving=False))  # type: ignore[arg-type]


WORDS = st.lists(
    st.tuples(
        st.sampled_from(["claim", "renewal", "release"]),
        st.integers(0, 1),
        st.sampled_from("abc"),
        st.integers(0, LEASE_MS),
    ),
    max_size=40,
)


@given(WORDS)
def test_a_place_goes_to_another_only_when_it_was_left_or_the_lease_has_ended(
    words: list[tuple[str, int, str, int]],
) -> None:
    table, now_ms = LeaseTable(LEASE_S), 1_000_000
    table.read(word("claim", 99, "x"), now_ms)
    now_ms += LEASE_MS  # from here on the table knows of everybody
    had: dict[int, tuple[str, int]] = {}
    for kind, place, token, later_ms in words:
        now_ms += later_ms
        holder = had.get(place)
        if holder is not None and holder[1] <= now_ms:
            holder = None
        counts = table.read(word(kind, place, token), now_ms)
        if kind == "release":
            assert counts == (holder is not None and holder[0] == token)
            if counts:
                del had[place]
        else:
            assert counts == (holder is None or holder[0] == token)
            if counts:
                had[place] = (token, now_ms + LEASE_MS)
        expected = {place: token for place, (token, until_ms) in had.items() if until_ms > now_ms}
        assert {place: who.token for place, who in table.holders(now_ms).items() if place != 99} == expected


def test_a_reader_that_begins_after_the_claim_that_counted_believes_the_renewal_and_not_a_claim_that_failed() -> None:
    table = LeaseTable(LEASE_S)
    assert table.read(word("claim", 0, "late"), 1000), "so it looks from here"
    assert table.read(word("renewal", 0, "holder"), 1200)
    assert not table.read(word("renewal", 0, "late"), 1300)
    assert not table.read(word("claim", 0, "later"), 1400)
    assert table.holders(1400)[0].token == "holder"


def test_what_others_write_there_is_passed_over(backends: Backends) -> None:
    url = backends.services_for(Requirements(redis=True)).redis_url
    assert url is not None

    async def scenario() -> Mapping[int, Holder]:
        async with redis_leases(url, "passed-over", 2) as leases:
            return await leases.holders()

    with redis.Redis.from_url(url) as other:
        other.set("{passed-over}:place:0", b"hello")
    assert asyncio.run(scenario()) == {}
