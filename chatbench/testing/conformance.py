"""The conformance tests that every architecture must pass on a real Kafka, Redis and NATS, for pytest.

    from chatbench.testing import ArchitectureConformance
    from lobby import Lobby

    class TestLobby(ArchitectureConformance):
        architecture = Lobby

A test is skipped, with the reason, if the architecture does not make the promise that it tests (see Promises).
"""

from __future__ import annotations

import asyncio
import time
from typing import ClassVar

import pytest

from architectures.interface import Architecture, Promises, Requirements, Services
from chatbench.testing.gateways import Gateways, Member, opened
from harness.services.backends import Backends
from harness.services.nats.server import has_nats_server

PAYLOAD_MAX_BYTES = 128 * 1024  # the largest frame that a gateway accepts
STARTED = pytest.StashKey[dict[Requirements, Backends]]()


def in_order_of_each_sender(heard: list[bytes], senders: int) -> bool:
    """Whether each sender's numbers ascend in the payloads, which are `sender:number`."""
    split = [payload.decode().split(":") for payload in heard]
    return all(
        [int(number) for who, number in split if int(who) == sender]
        == sorted(int(number) for who, number in split if int(who) == sender)
        for sender in range(senders)
    )


async def join_everywhere(running: Gateways, room: str) -> list[Member]:
    """Join the room with two members through each gateway."""
    return [await running.join(room, at) for at in range(len(running.every)) for _ in range(2)]


async def speak(running: Gateways, sender: Member, number: int, count: int) -> None:
    """Say `number:0`, `number:1` and so on, without waiting for each ack."""
    await asyncio.gather(*(running.say(sender, f"{number}:{i}".encode()) for i in range(count)))


async def speak_slowly(running: Gateways, sender: Member, count: int) -> None:
    """Say `0:0`, `0:1` and so on, each after the ack of the one before and a short pause."""
    for number in range(count):
        await running.say(sender, f"0:{number}".encode())
        await asyncio.sleep(0.002)


async def wait_until_hearing(running: Gateways, speaker: Member, guest: Member) -> None:
    """Return when the guest has heard a message that was said after it joined."""
    mark = f"mark:{id(guest)}".encode()
    await running.say(speaker, mark)
    async with asyncio.timeout(30):
        while mark not in guest.heard:  # noqa: ASYNC110 - a Member has no event to wait for
            await asyncio.sleep(0.001)


def restart_kafka(backends: Backends) -> None:
    """Kill every broker, and start it again with the data it left on disk. Call this from the main thread."""
    (kafka,) = backends.of(Requirements(kafka=True))
    for child in kafka.children:
        child.kill()
    backends.finish()


class ArchitectureConformance:
    """Subclass it with the architecture to test. The backends that it requires are started once."""

    architecture: ClassVar[type[Architecture]]

    @pytest.fixture(scope="class")
    @classmethod
    def backends(cls, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Backends:
        """Start the backends that the architecture requires, shared with other classes that require the same."""
        started = request.config.stash.setdefault(STARTED, {})
        requires = cls.architecture.requires
        if requires not in started:
            if requires.nats and not has_nats_server():
                pytest.skip("nats-server is not installed")
            backends = started[requires] = Backends(requires, 1, tmp_path_factory.mktemp("backends"))
            request.config.add_cleanup(backends.stop)
            backends.begin(lambda _what, _done, _total: None)
            backends.finish()
        return started[requires]

    @pytest.fixture
    def services(self, backends: Backends) -> Services:
        return backends.services_for(self.architecture.requires)

    def _requires_promise(self, *names: str) -> None:
        for name in names:
            if not getattr(self.architecture.promises, name):
                pytest.skip(f"{self.architecture.name} does not promise {name!r}")

    def test_it_declares_name_summary_and_promises(self) -> None:
        assert self.architecture.name
        assert self.architecture.summary
        assert isinstance(self.architecture.promises, Promises)

    def test_each_member_hears_each_message_once_in_each_senders_order_from_any_gateway(
        self, services: Services
    ) -> None:
        self._requires_promise("everyone", "once", "ordered")

        async def scenario() -> None:
            async with opened(self.architecture, services) as running:
                members = await join_everywhere(running, "stage")
                await asyncio.gather(*(speak(running, sender, n, 200) for n, sender in enumerate(members)))
                await running.until(lambda: all(len(member.heard) >= 200 * len(members) for member in members))
                said = sorted(f"{n}:{i}".encode() for n in range(len(members)) for i in range(200))
                for member in members:
                    assert sorted(member.heard) == said
                    assert in_order_of_each_sender(member.heard, len(members))

        asyncio.run(scenario())

    def test_nothing_crosses_rooms_and_a_thousand_rooms_work(self, services: Services) -> None:
        self._requires_promise("everyone", "once")

        async def scenario() -> None:
            async with opened(self.architecture, services) as running:
                count = len(running.every)
                rooms = [f"room-{number}" for number in range(1000)]
                pairs = [
                    (await running.join(room, n % count), await running.join(room, (n + 1) % count))
                    for n, room in enumerate(rooms)
                ]
                await asyncio.gather(*(running.say(one, one.room.encode()) for one, _other in pairs))
                members = [member for pair in pairs for member in pair]
                await running.until(lambda: all(member.heard for member in members))
                assert all(member.heard == [member.room.encode()] for member in members)

        asyncio.run(scenario())

    def test_a_member_that_stays_hears_everything_while_others_join_and_leave(self, services: Services) -> None:
        self._requires_promise("everyone", "once", "ordered")

        async def scenario() -> None:
            async with opened(self.architecture, services) as running:
                count = len(running.every)
                speaker, listener = await running.join("busy", 0), await running.join("busy", count - 1)
                speaking = asyncio.create_task(speak_slowly(running, speaker, 300))
                guests = []
                turn = 0
                while not speaking.done():
                    guest = await running.join("busy", turn % count)
                    await wait_until_hearing(running, speaker, guest)
                    await running.leave(guest)
                    guests.append([int(p.split(b":")[1]) for p in guest.heard if p.startswith(b"0:")])
                    turn += 1
                    await asyncio.sleep(0.001)
                await speaking
                everything = [f"0:{number}".encode() for number in range(300)]
                await running.until(lambda: sum(p.startswith(b"0:") for p in listener.heard) >= 300)
                for member in (speaker, listener):
                    assert [payload for payload in member.heard if payload.startswith(b"0:")] == everything
                assert len(guests) > 3
                for heard in guests:
                    assert heard == list(range(heard[0], heard[0] + len(heard))) if heard else True

        asyncio.run(scenario())

    def test_after_the_last_member_has_left_a_room_can_be_joined_again(self, services: Services) -> None:
        self._requires_promise("everyone", "once")

        async def scenario() -> None:
            async with opened(self.architecture, services) as running:
                last = len(running.every) - 1
                speaker = await running.join("revolving", 0)
                for turn in range(20):
                    guest = await running.join("revolving", last)
                    await running.say(speaker, f"{turn}".encode())
                    async with asyncio.timeout(30):
                        while not guest.heard:  # noqa: ASYNC110 - a Member has no event to wait for
                            await asyncio.sleep(0.001)
                    await running.leave(guest)
                    assert guest.heard == [f"{turn}".encode()]

        asyncio.run(scenario())

    def test_any_payload_arrives_unchanged(self, services: Services) -> None:
        self._requires_promise("everyone", "ordered")
        payloads = [b"", "grüße 🦆 \u0000 ﷽".encode(), bytes(range(256)), b"x" * PAYLOAD_MAX_BYTES, b"last"]

        async def scenario() -> None:
            async with opened(self.architecture, services) as running:
                members = await join_everywhere(running, "payloads")
                for payload in payloads:
                    await running.say(members[0], payload)
                await running.until(lambda: all(len(member.heard) >= len(payloads) for member in members))
                assert all(member.heard == payloads for member in members)

        asyncio.run(scenario())

    def test_any_room_name_works(self, services: Services) -> None:
        self._requires_promise("everyone")
        rooms = ["방 1 🦆", "방 1 🦆!", "a b/c:d*[e]?", "x" * 199, "x" * 200]

        async def scenario() -> None:
            async with opened(self.architecture, services) as running:
                members = [member for room in rooms for member in await join_everywhere(running, room)]
                for member in members[-1 :: -2 * len(running.every)]:  # the last of each room
                    await running.say(member, member.room.encode())
                await running.until(lambda: all(member.heard for member in members))
                assert all(member.heard == [member.room.encode()] for member in members)

        asyncio.run(scenario())

    def test_closing_a_gateway_loses_nothing_it_acked(self, services: Services) -> None:
        self._requires_promise("everyone", "once")
        if self.architecture.requires.gateways_max == 1:
            pytest.skip(f"{self.architecture.name} has only one gateway, so no member is left to hear")

        async def scenario() -> None:
            async with opened(self.architecture, services, gateways=2) as running:
                speaker = await running.join("farewell", 0)
                listener = await running.join("farewell", 1 - speaker.gateway)
                acked: list[bytes] = []

                async def say(number: int) -> None:
                    payload = f"{number}".encode()
                    await running.say(speaker, payload)
                    acked.append(payload)

                await asyncio.gather(*(say(number) for number in range(300)))
                await running.close_gateway(speaker.gateway)  # at once, while acked messages may still be in flight
                await running.until(lambda: len(listener.heard) >= len(acked))
                assert sorted(listener.heard) == sorted(acked)
                assert len(acked) == 300

        asyncio.run(scenario())

    def test_a_durable_ack_outlives_the_death_of_the_broker(self, services: Services, backends: Backends) -> None:
        self._requires_promise("everyone", "durable_ack")
        if not self.architecture.requires.kafka:
            pytest.skip(f"{self.architecture.name} does not use Kafka, the only backend that this test can restart")

        async def scenario() -> None:
            async with opened(self.architecture, services) as running:
                members = await join_everywhere(running, "durable")
                await asyncio.gather(*(speak(running, sender, n, 50) for n, sender in enumerate(members)))
                restart_kafka(backends)  # right after the last ack, before everything has been delivered
                await running.say(members[0], b"0:50")
                said = {f"{n}:{i}".encode() for n in range(len(members)) for i in range(50)} | {b"0:50"}
                await running.until(lambda: all(set(member.heard) >= said for member in members if member.is_in))

        asyncio.run(scenario())

    def test_a_returning_member_hears_what_it_missed_and_nothing_twice(self, services: Services) -> None:
        self._requires_promise("everyone", "once", "ordered", "history")

        async def scenario() -> None:
            async with opened(self.architecture, services) as running:
                speaker, other = await running.join("platform", 0), await running.join("siding", 1)
                began_s = time.time() - 1
                speaking = asyncio.gather(speak_slowly(running, speaker, 300), speak_slowly(running, other, 300))
                returned: list[Member] = []
                while not speaking.done():
                    returned.append(await running.join("platform", len(returned), after_s=began_s))
                    await asyncio.sleep(0.05)
                await speaking
                returned.append(await running.join("platform", 1, after_s=began_s))
                everything = [f"0:{number}".encode() for number in range(300)]
                await running.until(lambda: all(len(member.heard) >= 300 for member in returned))
                assert all(member.heard == everything for member in returned)
                late = await running.join("platform", 2, after_s=time.time() + 60)
                assert late.heard == [], "nothing was said after that moment"

        asyncio.run(scenario())
