"""The limits on what one member, and all members together, can make a gateway hold or do."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from typing import Any, ClassVar, cast

import msgspec
import pytest
from websockets.protocol import State

from architectures.direct import Direct
from architectures.interface import Delivery, Promises, Services, Topology
from harness.gateway.member_connection import MemberConnection
from harness.gateway.session import Hub, Session
from harness.gateway.settings import GatewaySettings, Limits

KIB = 1024
TOPOLOGY = Topology(run_id="bounds", gateways=1)


class Stuck(Direct):
    """Its backend answers nobody: neither what is said nor what is asked."""

    promises: ClassVar[Promises] = Promises(everyone=True, once=True, ordered=True, durable_ack=False, history=True)

    def __init__(self) -> None:
        super().__init__(Services(), TOPOLOGY, gateway=0)
        self.answers = asyncio.Event()
        self.happened: Counter[str] = Counter()
        self.past: list[bytes] = []

    async def publish(self, room: str, payload: bytes) -> None:
        self.happened["published"] += 1
        await self.answers.wait()

    async def history(self, room: str, after_s: float) -> Sequence[bytes]:
        self.happened["asked"] += 1
        past = list(self.past)  # where `deliver` has come when this is called
        try:
            await self.answers.wait()
        except asyncio.CancelledError:
            self.happened["given up"] += 1
            raise
        return past


class Peer:
    """Stands in for a member's socket: sends these frames, and then stays."""

    def __init__(self, *frames: dict[str, Any]) -> None:
        self._frames = [msgspec.json.encode(frame).decode() for frame in frames]
        self.heard: list[dict[str, Any]] = []
        self.taken = 0
        self.state = State.OPEN
        self._closed = asyncio.Event()
        self.flooded = False
        self.transport = self.protocol = self

    async def __aiter__(self) -> AsyncIterator[str]:
        for frame in self._frames:
            self.taken += 1
            yield frame
        await self._closed.wait()

    def write(self, frames: bytes) -> None:
        while frames:
            start, size = (2, frames[1]) if frames[1] < 126 else (4, int.from_bytes(frames[2:4]))
            self.heard.append(msgspec.json.decode(frames[start : start + size]))
            frames = frames[start + size :]

    def get_write_buffer_size(self) -> int:
        return 0

    def hang_up(self) -> None:
        self.state = State.CLOSED
        self._closed.set()

    async def wait_closed(self) -> None:
        await self._closed.wait()


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not holds():  # noqa: ASYNC110 - of many objects, none of which tells
            await asyncio.sleep(0)


async def settled() -> None:
    """Whatever can go on without the backend has done so."""
    for _ in range(200):
        await asyncio.sleep(0)


def sayings(count: int, text_bytes: int) -> list[dict[str, Any]]:
    return [{"t": "say", "room": "r", "id": number, "text": "x" * text_bytes} for number in range(count)]


def with_sessions(limits: Limits, scenario: Callable[[Stuck, Hub], Coroutine[Any, Any, None]]) -> None:
    async def run() -> None:
        architecture = Stuck()
        settings = GatewaySettings(
            arch="direct", services=Services(), topology=TOPOLOGY, index=0, port=1, peers=("ws://here",), limits=limits
        )
        await scenario(architecture, Hub(settings, architecture))

    asyncio.run(run())


def serve(hub: Hub, peer: Peer) -> asyncio.Task[None]:
    return asyncio.create_task(Session(hub, cast(MemberConnection, peer), "m").serve())


JOIN: dict[str, Any] = {"t": "join", "room": "r"}


@pytest.mark.parametrize(
    ("limits", "taken"),
    [(Limits(publishing_per_member_max=5), 5), (Limits(publishing_per_member_max_bytes=300 * KIB), 2)],
    ids=["in number", "in bytes"],
)
def test_no_more_is_read_from_a_member_whose_messages_wait_for_the_backend(limits: Limits, taken: int) -> None:
    async def scenario(backend: Stuck, hub: Hub) -> None:
        peer = Peer(JOIN, *sayings(20, 100 * KIB))
        session = serve(hub, peer)
        await settled()
        assert backend.happened["published"] == taken
        assert hub.buffered_bytes()["backend"] == pytest.approx(taken * 100 * KIB, rel=0.01)
        backend.answers.set()
        await until(lambda: sum(frame["t"] == "ack" for frame in peer.heard) == 20)
        await until(lambda: hub.buffered_bytes()["backend"] == 0)
        peer.hang_up()
        await session

    with_sessions(limits, scenario)


def test_a_message_longer_than_the_bound_may_wait_alone() -> None:
    async def scenario(backend: Stuck, hub: Hub) -> None:
        peer = Peer(JOIN, *sayings(2, 100 * KIB))
        session = serve(hub, peer)
        await settled()
        assert backend.happened["published"] == 1
        backend.answers.set()
        await until(lambda: backend.happened["published"] == 2)
        peer.hang_up()
        await session

    with_sessions(Limits(publishing_per_member_max_bytes=KIB), scenario)


def test_what_all_members_together_have_waiting_is_bounded_and_the_rest_refused_by_name() -> None:
    async def scenario(backend: Stuck, hub: Hub) -> None:
        peers = [Peer(JOIN, *sayings(3, 100 * KIB)) for _ in range(4)]
        sessions = [serve(hub, peer) for peer in peers]
        await settled()
        assert backend.happened["published"] == 10
        assert hub.counts["refused_full"] == 2
        errors = [frame for peer in peers for frame in peer.heard if frame["t"] == "error"]
        assert [(error["code"], error["id"]) for error in errors] == [("full", 1), ("full", 2)]
        for peer in peers:
            peer.hang_up()
        backend.answers.set()
        await asyncio.gather(*sessions)

    with_sessions(Limits(publishing_max_bytes=1024 * KIB), scenario)


def test_nobody_goes_on_asking_for_a_member_who_has_gone() -> None:
    async def scenario(backend: Stuck, hub: Hub) -> None:
        again: list[dict[str, Any]] = [{"t": "join", "room": "r", "after": 1}, {"t": "leave", "room": "r"}]
        peer = Peer(*again * 50)
        session = serve(hub, peer)
        await until(lambda: backend.happened["asked"] == 1)
        peer.hang_up()
        async with asyncio.timeout(10):
            await session
        assert (backend.happened["asked"], backend.happened["given up"]) == (1, 1)
        assert hub.counts["history_abandoned"] == 1
        assert len(hub.rooms) == 0
        assert hub.buffered_bytes()["history"] == 0

    with_sessions(Limits(), scenario)


def test_a_member_has_a_budget_of_questions_and_is_let_in_without_an_answer_beyond_it() -> None:
    async def scenario(backend: Stuck, hub: Hub) -> None:
        backend.answers.set()
        peer = Peer(*[{"t": "join", "room": f"r{number}", "after": 1} for number in range(5)])
        session = serve(hub, peer)
        await until(lambda: len(peer.heard) == 5)
        assert backend.happened["asked"] == 3
        assert [frame.get("incomplete", False) for frame in peer.heard[-2:]] == [True, True]
        assert hub.counts["history_refused"] == 2
        peer.hang_up()
        await session

    with_sessions(Limits(history_burst=3, history_per_s=0.001), scenario)


def test_what_is_delivered_while_a_question_waits_for_its_turn_is_told_once() -> None:
    async def scenario(backend: Stuck, hub: Hub) -> None:
        first, second = [Peer({"t": "join", "room": "r", "after": 1}) for _ in range(2)]
        sessions = [serve(hub, peer) for peer in (first, second)]
        await until(lambda: backend.happened["asked"] == 1)
        await settled()
        backend.past.append(b'{"t":"chat","id":1}')
        hub.rooms.deliver([Delivery("r", backend.past[0])])
        backend.answers.set()
        await until(lambda: bool(first.heard and second.heard))
        assert [frame["t"] for frame in first.heard] == ["joined", "chat"], "it came after the question was asked"
        assert [frame["t"] for frame in second.heard] == ["joined", "chat"], "it is in the history"
        for peer in (first, second):
            peer.hang_up()
        await asyncio.gather(*sessions)

    with_sessions(Limits(history_at_once_max=1), scenario)


def test_only_so_many_ask_the_backend_at_once() -> None:
    async def scenario(backend: Stuck, hub: Hub) -> None:
        peers = [Peer({"t": "join", "room": "r", "after": 1}) for _ in range(5)]
        sessions = [serve(hub, peer) for peer in peers]
        await settled()
        assert backend.happened["asked"] == 2
        backend.answers.set()
        await until(lambda: all(peer.heard for peer in peers))
        for peer in peers:
            peer.hang_up()
        await asyncio.gather(*sessions)

    with_sessions(Limits(history_at_once_max=2), scenario)
