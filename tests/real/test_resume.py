"""Members that come back: which missed messages each architecture sends them."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import msgspec
import pytest
from websockets.asyncio.client import ClientConnection, connect

from architectures.interface import Topology
from harness.core.registry import load_architecture
from harness.gateway.settings import total
from harness.services.backends import Backends
from harness.services.fleet import Fleet
from tests.real.runs import run

REQUIRES = load_architecture("redis-streams").requires
STORM = ["--scenario", "reconnect_storm", "--members", "40", "--rate", "50", "--set", "within_s=0.1"]
OFTEN = ["--set", "storm_s=2", "--set", "away_s=0.5", "--duration", "5s", "--warmup", "0s"]


@pytest.mark.parametrize("arch", ["plan1", "plan2", "kafka-broadcast", "redis-streams"])
def test_in_a_storm_nobody_misses_anything_where_the_past_is_kept(arch: str, tmp_path: Path) -> None:
    summary = run(tmp_path, "--arch", arch, *STORM, *OFTEN)
    resumed = summary["resumed"]
    assert resumed["returns"] >= 2 * 36, "after a second, and after three"
    assert resumed["away"] > 0
    assert resumed["missed"] == 0
    assert resumed["caught_up_ms"]["p50"] > 0
    assert (summary["lost"], summary["duplicated"], summary["reordered"], summary["strays"]) == (0, 0, 0, 0)
    (history,) = [check for check in summary["promises"] if check["promise"].startswith("history")]
    assert history["held"] is True


def test_in_a_storm_pub_sub_forgets_what_was_said_meanwhile(tmp_path: Path) -> None:
    summary = run(tmp_path, "--arch", "redis", *STORM, *OFTEN)
    resumed = summary["resumed"]
    # What was said at the very end of the absence may still have come.
    assert 0.5 * resumed["away"] < resumed["missed"] <= resumed["away"]
    assert resumed["caught_up_ms"]["p50"] is None
    assert summary["lost"] == 0, "who was away is owed nothing where nothing is kept"


async def say(connection: ClientConnection, frame: dict[str, Any]) -> None:
    await connection.send(msgspec.json.encode(frame).decode())


async def hear(connection: ClientConnection) -> dict[str, Any]:
    async with asyncio.timeout(10):
        return dict(msgspec.json.decode(await connection.recv()))


def test_on_the_wire_what_was_missed_follows_the_answer_to_a_join(backends: Backends, tmp_path: Path) -> None:
    arch, topology = load_architecture("redis-streams"), Topology(run_id="resume", gateways=2)
    fleet = Fleet("redis-streams", backends.services_for(arch.requires), topology, tmp_path)
    fleet.start()

    async def scenario() -> None:
        before_ns = time.time_ns() - 1_000_000_000
        async with connect(fleet.urls[0], compression=None) as speaker:
            await say(speaker, {"t": "join", "room": "a"})
            assert await hear(speaker) == {"t": "joined", "room": "a"}
            for number in range(3):
                await say(speaker, {"t": "say", "room": "a", "id": number, "text": f"{number}"})
                await hear(speaker)
                await hear(speaker)
            async with connect(fleet.urls[1], compression=None) as back:
                await say(back, {"t": "join", "room": "a", "after": before_ns})
                assert await hear(back) == {"t": "joined", "room": "a", "missed": 3}
                assert [(await hear(back))["text"] for _ in range(3)] == ["0", "1", "2"]
                await say(back, {"t": "join", "room": "a", "after": before_ns})  # it is in already
                assert await hear(back) == {"t": "joined", "room": "a"}
                await say(back, {"t": "leave", "room": "a"})
                await say(back, {"t": "join", "room": "a", "after": 0})  # further back than anybody may ask
                assert await hear(back) == {"t": "joined", "room": "a", "missed": 3, "incomplete": True}
                assert [(await hear(back))["text"] for _ in range(3)] == ["0", "1", "2"]
                await say(back, {"t": "join", "room": "empty", "after": before_ns})
                assert await hear(back) == {"t": "joined", "room": "empty", "missed": 0}
        assert total(fleet.stats().values()).counts["replayed"] == 6

    try:
        fleet.wait_ready()
        asyncio.run(scenario())
    finally:
        fleet.stop()
