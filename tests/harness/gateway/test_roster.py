"""Gateways that agree on their places."""

from __future__ import annotations

import asyncio

import msgspec
import pytest

from harness.gateway import roster as rosters
from harness.gateway.roster import NoPlace, Roster, Word


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HERE_EVERY_S", "LISTEN_S", "OBJECT_S", "FORGOTTEN_AFTER_S", "PLACE_TIMEOUT_S"):
        monkeypatch.setattr(rosters, name, getattr(rosters, name) / 10)


class Air:
    """Carries each word to every gateway, except to and from those that are cut off."""

    def __init__(self, places: int) -> None:
        self._places = places
        self.rosters: list[Roster] = []
        self.cut_off: set[Roster] = set()

    def roster(self, name: str, shape: str = "plan1") -> Roster:
        made: list[Roster] = []

        async def tell(word: bytes) -> None:
            await asyncio.sleep(0)
            for each in self.rosters:
                if each is made[0] or not {each, made[0]} & self.cut_off:
                    each.hear(word)

        made.append(Roster(self._places, f"ws://{name}", shape, tell))
        self.rosters.append(made[0])
        return made[0]


def test_gateways_that_start_at_once_take_different_places_and_learn_where_the_others_are() -> None:
    async def scenario() -> None:
        air = Air(3)
        those = [air.roster(name) for name in "abc"]
        places = await asyncio.gather(*(each.take_place() for each in those))
        assert those[0].serving() == {}, "they have places, but members may not come yet"
        serving = [asyncio.create_task(each.serve()) for each in those]
        await asyncio.sleep(rosters.HERE_EVERY_S * 3)
        assert sorted(places) == [0, 1, 2]
        by_place = {place: f"ws://{name}" for place, name in zip(places, "abc", strict=True)}
        assert all(each.serving() == each.addresses == by_place for each in those)
        assert not any(task.done() for task in serving)

    asyncio.run(scenario())


def test_who_leaves_is_followed_at_once_and_who_vanishes_after_a_while() -> None:
    async def scenario() -> None:
        air = Air(2)
        first, second = air.roster("a"), air.roster("b")
        await first.take_place()
        assert await second.take_place() == 1
        await second.leave()
        third = air.roster("c")
        assert await third.take_place() == 1
        air.cut_off.add(third)
        fourth = air.roster("d")
        assert await fourth.take_place(1) == 1
        await asyncio.sleep(rosters.HERE_EVERY_S)
        assert first.addresses == {0: "ws://a", 1: "ws://d"}

    asyncio.run(scenario())


def test_no_place_is_taken_twice_by_a_gateway_too_many() -> None:
    async def scenario() -> None:
        air = Air(1)
        first, second, third = air.roster("a"), air.roster("b"), air.roster("c")
        await first.take_place()
        with pytest.raises(NoPlace, match="all 1 places are taken, by ws://a; use more --gateways"):
            await second.take_place()
        with pytest.raises(NoPlace, match="place 0 is held by ws://a"):
            await third.take_place(0)

    asyncio.run(scenario())


def test_after_a_cut_one_of_two_at_the_same_place_gives_up() -> None:
    async def scenario() -> None:
        air = Air(1)
        first, second = air.roster("a"), air.roster("b")
        first.token, second.token = "2", "1"
        await first.take_place()
        air.cut_off.add(first)
        await second.take_place()
        air.cut_off.clear()
        second_serves = asyncio.create_task(second.serve())
        with pytest.raises(NoPlace, match="was taken by ws://b while it was cut off"):
            await asyncio.wait_for(first.serve(), 5)
        assert not second_serves.done()

    asyncio.run(scenario())


def test_a_gateway_of_another_shape_is_refused_by_name() -> None:
    async def scenario() -> None:
        air = Air(2)
        first, second = air.roster("a"), air.roster("b", "plan2 with 2 gateways")
        await first.take_place()
        alike = "at ws://a is plan1, and this one plan2 with 2 gateways; start it alike"
        with pytest.raises(NoPlace, match=alike):
            await second.take_place()

    asyncio.run(scenario())


def test_what_others_write_there_is_passed_over() -> None:
    async def scenario() -> None:
        roster = Air(2).roster("a")
        for told in (b"", b"hello", b'{"kind":"here"}', msgspec.json.encode(["claim"])):
            roster.hear(told)
        roster.hear(msgspec.json.encode(Word("gone", "t", 1, "ws://b", "plan1", serving=True)))
        assert roster.serving() == roster.addresses == {}

    asyncio.run(scenario())
