"""Peers: gateways of other projects, driven by the same members as chatbench's own."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from harness.core.registry import load_candidate, peer_names
from peers.interface import Peer
from tests.command_line import refusal
from tests.real.runs import run, run_with_page


@pytest.fixture(params=peer_names())
def peer(request: pytest.FixtureRequest) -> str:
    found = load_candidate(request.param)
    assert issubclass(found, Peer)
    if (why := found.missing()) is not None:
        pytest.skip(why)
    return found.name


def test_everybody_hears_all_of_it_once_while_members_come_and_go(peer: str, tmp_path: Path) -> None:
    summary = run_with_page(tmp_path, "--arch", peer, "--scenario", "churn", "--members", "30", "--rate", "30")
    assert summary["status"] == "complete"
    assert summary["delivered"] == summary["expected"] > 0
    assert (summary["lost"], summary["duplicated"], summary["refused"]) == (0, 0, {})
    assert summary["reordered"] == 0 or not load_candidate(peer).promises.ordered
    assert summary["acked"] == summary["sent"]
    assert summary["joins"] > 0, "some came meanwhile"
    assert summary["redis"]["commands_per_message"] >= 1
    assert summary["cpu_us_per_delivery"]["gateway"] > 0
    assert summary["wasted_deliveries_per_message"] is summary["frames_per_write"] is None, "nobody counted that"
    assert sum(gateway["members"] for gateway in summary["each_gateway"]) > 0
    record = Path(summary["folder"])
    assert "<td>peer: " in (record / "report.html").read_text(encoding="utf-8")
    versions = msgspec.json.decode((record / "manifest.json").read_bytes())["versions"]
    assert {"channels": "channels-redis", "python-socketio": "uvicorn", "socketio": "socket.io (npm)"}[peer] in versions


def test_members_of_a_gateway_that_is_restarted_come_back(tmp_path: Path) -> None:
    summary = run(
        tmp_path,
        "--arch",
        "python-socketio",
        "--members",
        "10",
        "--rate",
        "20",
        "--fault",
        "restart:gateway@1s",
        "--duration",
        "13s",
    )
    assert summary["disconnects"] > 0
    assert summary["away_at_end"] == 0
    assert summary["away_ms"]["max"] > 0


@pytest.mark.parametrize("command", ["up", "chat", "gateway"])
def test_what_only_chatbenchs_own_gateway_can_do_is_refused_in_one_sentence(command: str) -> None:
    refused = refusal(command, "--arch", "python-socketio")
    assert "python-socketio brings its own gateway, which can only be measured" in refused
