"""Which clients may connect to a gateway. The gateways are real processes; `direct` needs no broker."""

from __future__ import annotations

import asyncio
import http.client
import socket
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from architectures.interface import Services, Topology
from harness.core.callers import WRONG_NAME
from harness.gateway.settings import Exposure, Limits, total
from harness.ledger.passages import Passages
from harness.services.fleet import Fleet, FleetOptions
from harness.services.gateway_client import ask
from tests.harness.gateway.test_session import closed_with, hear, member, say

TOKEN = "not-a-secret-of-anybody"
LIMITS = Limits(members_max=5, joins_burst=10, joins_per_s=1, silent_max_s=2, handshake_max_s=1, slow_check_s=0.02)


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    exposure = Exposure(token=TOKEN, origins=("https://chat.example",))
    yield from _running(tmp_path_factory.mktemp("guarded"), exposure=exposure)


@pytest.fixture
def limited(tmp_path: Path) -> Iterator[Fleet]:
    yield from _running(tmp_path, limits=LIMITS)


def _running(logs: Path, **settings: Any) -> Iterator[Fleet]:
    fleet = Fleet("direct", Services(), Topology(run_id="door", gateways=1), logs, FleetOptions(**settings))
    fleet.start()
    try:
        fleet.wait_ready()
        yield fleet
    finally:
        fleet.stop()


def status(url: str, **given: Any) -> int:
    """What the gateway answers to the wish for a WebSocket; 101: it is open."""

    async def ask() -> int:
        try:
            async with connect(url, compression=None, **given):
                return 101
        except InvalidStatus as refused:
            return refused.response.status_code

    return asyncio.run(ask())


def counts(fleet: Fleet) -> dict[str, int]:
    return total(fleet.stats().values()).counts


@pytest.mark.parametrize(
    ("query", "header", "answer"),
    [
        ("", f"Bearer {TOKEN}", 101),
        (f"?token={TOKEN}", None, 101),
        ("", None, 401),
        ("", f"Bearer {TOKEN}x", 401),
        ("", f"Bearer {TOKEN[:-1]}", 401),
        ("", "Bearer \u00e9", 401),
        ("?token=", None, 401),
        ("?token=guess&token=again", None, 401),
    ],
)
def test_only_who_shows_the_token_comes_in(guarded: Fleet, query: str, header: str | None, answer: int) -> None:
    headers = {} if header is None else {"Authorization": header}
    assert status(guarded.urls[0] + "/" + query, additional_headers=headers) == answer


def test_counters_are_not_for_everybody_either(guarded: Fleet) -> None:
    assert status(guarded.urls[0] + "/stats") == 401
    assert counts(guarded)["refused_token"] > 0


@pytest.mark.parametrize(
    ("origin", "answer"),
    [
        (None, 101),
        ("http://localhost:8089", 101),
        ("http://127.0.0.1:3000", 101),
        ("http://[::1]:3000", 101),
        ("https://chat.example", 101),
        ("https://chat.example.evil.example", 403),
        ("http://localhost.evil.example", 403),
        ("null", 403),
        ("http://[", 403),
    ],
)
def test_pages_of_other_hosts_may_not_connect(guarded: Fleet, origin: str | None, answer: int) -> None:
    bearer = {"Authorization": f"Bearer {TOKEN}"}
    assert status(guarded.urls[0], additional_headers=bearer, origin=origin) == answer


@pytest.mark.parametrize("path", ["/stats", "/about", "/metrics", "/route?room=r", "/chat", "/"])
def test_a_page_whose_name_was_made_to_lead_here_learns_nothing(limited: Fleet, path: str) -> None:
    port = int(limited.urls[0].rpartition(":")[2])
    assert answer_to(port, path, Host=f"evil.example:{port}") == (403, f"{WRONG_NAME}\n")
    assert counts(limited)["refused_host"] == 1
    for host in (f"localhost:{port}", f"127.0.0.1:{port}", f"[::1]:{port}"):
        assert answer_to(port, path, Host=host)[0] in {200, 426}  # 426: only a WebSocket could be had there
    assert answer_to(port, path, Host=f"localhost:{port}", Origin="http://evil.example")[0] == 403


def test_no_page_changes_what_a_gateway_traces(limited: Fleet) -> None:
    url = limited.urls[0]
    port = int(url.rpartition(":")[2])
    assert answer_to(port, "/trace?one_in=1")[0] == 403  # as for <img src="http://127.0.0.1:9001/trace?one_in=1">
    assert counts(limited)["refused_page"] == 1
    assert traced_one_in(url, "/trace?one_in=3") == 0
    assert traced_one_in(url, "/trace") == 3


def traced_one_in(url: str, path: str) -> int:
    told = ask(url, path, Passages, None, 10)
    assert told is not None
    return told.one_in


def answer_to(port: int, path: str, **headers: str) -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", path, headers=headers)
        response = connection.getresponse()
        return response.status, response.read().decode()
    finally:
        connection.close()


def test_the_token_is_in_no_log_and_no_text_of_the_settings(guarded: Fleet) -> None:
    assert all(TOKEN not in child.log.read_text() for child in guarded.children)
    assert TOKEN not in repr(Exposure(token=TOKEN))


@pytest.mark.parametrize(
    ("bind", "token"), [("192.168.1.20", None), ("0.0.0.0", None), ("::", None), ("127.0.0.1", "x")]
)
def test_off_loopback_a_token_is_needed_and_it_must_be_long(bind: str, token: str | None) -> None:
    with pytest.raises(ValueError, match="token"):
        Exposure(bind=bind, token=token)


def test_a_full_gateway_says_so_and_serves_those_who_are_in(limited: Fleet) -> None:
    async def scenario() -> None:
        async with member(limited, "r") as first:
            others = [await connect(limited.urls[0], compression=None) for _ in range(4)]
            with pytest.raises(InvalidStatus, match="503"):
                await connect(limited.urls[0])
            await say(first, {"t": "say", "room": "r", "id": 1, "text": "x"})
            assert {(await hear(first))["t"], (await hear(first))["t"]} == {"ack", "chat"}
            for other in others:
                await other.close()

    asyncio.run(scenario())
    assert counts(limited)["refused_full"] == 1


def test_a_flood_of_joins_closes_its_own_connection_and_no_other(limited: Fleet) -> None:
    async def scenario() -> None:
        async with member(limited, "r") as calm:
            async with member(limited) as flooding:
                for number in range(50):
                    await say(flooding, {"t": "join", "room": f"{number % 2}"})
                    await say(flooding, {"t": "leave", "room": f"{number % 2}"})
                assert await closed_with(flooding) == 1008
            await say(calm, {"t": "say", "room": "r", "id": 1, "text": "x"})
            assert {(await hear(calm))["t"], (await hear(calm))["t"]} == {"ack", "chat"}

    asyncio.run(scenario())
    assert counts(limited)["closed_too_many_joins"] == 1


def test_who_connects_and_says_nothing_is_hung_up_on(limited: Fleet) -> None:
    port = int(limited.urls[0].rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port), timeout=10) as half_open:
        half_open.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n")
        answer = half_open.recv(4096)
        assert b"101" not in answer  # an error of HTTP, or nothing: but an end


def test_who_vanishes_without_a_goodbye_is_noticed(limited: Fleet) -> None:
    """A peer that is gone sends nothing, not even a reset: with TCP_REPAIR the kernel forgets a connection so."""

    async def scenario() -> None:
        connection = await connect(limited.urls[0], compression=None)
        vanishing = connection.transport.get_extra_info("socket").dup()
        try:
            vanishing = socket.socket(fileno=vanishing.detach())
            vanishing.setsockopt(socket.IPPROTO_TCP, 19, struct.pack("i", 1))  # TCP_REPAIR
        except PermissionError:
            pytest.skip("to make a connection vanish needs CAP_NET_ADMIN")
        finally:
            vanishing.close()
        assert total(limited.stats().values()).members == 1
        connection.transport.abort()
        async with asyncio.timeout(30):
            while total(limited.stats().values()).members:  # noqa: ASYNC110 - only asking tells
                await asyncio.sleep(0.1)

    asyncio.run(scenario())
    assert counts(limited)["vanished"] == 1
