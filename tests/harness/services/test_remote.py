"""What a run asks of gateways that others have started."""

from __future__ import annotations

import msgspec
import pytest

from architectures.interface import Topology
from harness.core.errors import UsageError
from harness.gateway.settings import GatewayStats
from harness.ledger.passages import Passages
from harness.measure.clock_offset import Offset
from harness.services import remote
from harness.services.gateway_clocks import GatewayClocks
from harness.services.remote import RemoteStack


def asked_of_gateways(monkeypatch: pytest.MonkeyPatch, members: int) -> list[str]:
    """The paths that a gateway with so many members is asked for, as they come."""
    asked: list[str] = []
    stats = GatewayStats(process="g", cpu_s=0.0, rss_bytes=0, members=members, rooms=1, counts={})

    def ask(_url: str, path: str, kind: type[msgspec.Struct], _token: str | None, _timeout_s: float) -> object:
        asked.append(path)
        return stats if kind is GatewayStats else Passages([], 0)

    monkeypatch.setattr(remote, "ask", ask)
    monkeypatch.setattr(remote, "LEAVING_MAX_S", 0.0)
    monkeypatch.setattr(GatewayClocks, "compare", lambda _clocks, _url: Offset())
    return asked


def stack() -> RemoteStack:
    return RemoteStack(("ws://192.0.2.1:9001",), Topology(run_id="r", gateways=1), trace_one_in=5, duration_s=2.5)


def test_a_run_that_is_refused_leaves_the_tracing_of_the_other_one_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = asked_of_gateways(monkeypatch, members=100)
    refused = stack()
    with pytest.raises(UsageError, match="there are 100 members already"):
        refused.start()
    refused.stop()
    assert set(asked) == {"/stats"}


def test_a_run_says_how_long_it_measures_and_ends_its_tracing(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = asked_of_gateways(monkeypatch, members=0)
    going = stack()
    going.start().passages()
    going.stop()
    assert asked == ["/stats", "/trace?one_in=5&for_s=3", "/trace?one_in=0"]
