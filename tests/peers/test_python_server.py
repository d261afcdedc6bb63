"""The page on which peers in Python report their members and counters."""

from __future__ import annotations

import asyncio
from collections.abc import MutableMapping
from typing import Any

import pytest

from peers.python_server import stats_page


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1:9001", 200),
        ("localhost:9001", 200),
        ("[::1]:9001", 200),
        (None, 200),  # no browser asks without one
        ("evil.example:9001", 403),
        ("127.0.0.1.evil.example", 403),
    ],
)
def test_a_page_whose_name_was_made_to_lead_here_learns_nothing(host: str | None, status: int) -> None:
    told: list[MutableMapping[str, Any]] = []

    async def nothing() -> MutableMapping[str, Any]:
        return {}

    async def send(message: MutableMapping[str, Any]) -> None:
        told.append(message)

    async def ask() -> None:
        headers = [] if host is None else [(b"host", host.encode())]
        await stats_page(lambda: (3, 2))({"type": "http", "path": "/stats", "headers": headers}, nothing, send)

    asyncio.run(ask())
    assert told[0]["status"] == status
    assert (b'"members": 3' in told[1]["body"]) is (status == 200)
