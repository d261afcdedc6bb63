"""Connections between gateways and backends are closed under load; what members miss of it is in the record."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.real.runs import run
from tests.real.test_faults import LOAD, lost_acked, told, under


@pytest.mark.parametrize(
    ("arch", "fault"),
    [
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


def test_kafka_redis_misses_nothing_that_was_acked_whichever_connections_are_closed(tmp_path: Path) -> None:
    both = ("reset:gateway-redis", "reset:gateway-broker")
    faults = ("--fault", f"{both[0]}@3s", "--fault", f"{both[1]}@7s")
    summary = run(tmp_path, "--arch", "kafka-redis", *LOAD, "--duration", "12s", *faults)
    assert summary["status"] == "complete"
    assert [seen["fault"] for seen in summary["faults"]] == list(both)
    assert (lost_acked(summary), summary["duplicated"], summary["reordered"]) == (0, 0, 0)
    assert [told(summary, f"survives {fault}:") for fault in both] == [True, True]
    assert summary["acked"] > 0.9 * summary["sent"], "it goes on"


@pytest.mark.parametrize(
    ("arch", "fault"), [("redis", "reset:gateway-redis"), ("redis-sharded", "reset:gateway-redis")]
)
def test_pub_sub_alone_does_not_promise_that_but_goes_on(tmp_path: Path, arch: str, fault: str) -> None:
    summary = under(tmp_path, arch, f"{fault}@3s", "8s")
    assert told(summary, "everyone") is None, "not promised under this fault"
    assert summary["acked"] > 0.9 * summary["sent"], "it goes on"
    assert summary["ended"] == []
