"""Connections between gateways and backends are closed under load; what members miss of it is in the record."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.real.test_faults import lost_acked, told, under


@pytest.mark.parametrize(
    ("arch", "fault"),
    [
        ("kafka-redis", "reset:gateway-redis"),
        ("kafka-redis", "reset:gateway-broker"),
        ("redis-streams", "reset:gateway-redis"),
        ("plan1", "reset:gateway-broker"),
        ("plan2", "reset:gateway-broker"),
        ("kafka-broadcast", "reset:gateway-broker"),
    ],
)
def test_a_gateway_whose_connections_are_closed_misses_nothing_that_was_acked(
    tmp_path: Path, arch: str, fault: str
) -> None:
    summary = under(tmp_path, arch, f"{fault}@3s", "8s")
    assert (lost_acked(summary), summary["duplicated"], summary["reordered"]) == (0, 0, 0)
    assert told(summary, f"survives {fault}:") is True
    assert summary["acked"] > 0.9 * summary["sent"], "it goes on"


@pytest.mark.parametrize(
    ("arch", "fault"), [("redis", "reset:gateway-redis"), ("redis-sharded", "reset:gateway-redis")]
)
def test_pub_sub_alone_does_not_promise_that_but_goes_on(tmp_path: Path, arch: str, fault: str) -> None:
    summary = under(tmp_path, arch, f"{fault}@3s", "8s")
    assert told(summary, "everyone") is None, "not promised under this fault"
    assert summary["acked"] > 0.9 * summary["sent"], "it goes on"
    assert summary["ended"] == []
