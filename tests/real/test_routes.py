"""Each architecture's route agrees with the brokers' counters; the cost model and the diagrams rely on the routes."""

from __future__ import annotations

from pathlib import Path

import pytest

from architectures.routes import Scene
from harness.core.registry import load_architecture
from tests.real.runs import run

GATEWAYS = 4
# Rooms of two members with neighbouring numbers, so that each room has members on two of the four gateways.
ROOMS = ("--scenario", "many_rooms", "--members", "40", "--rooms", "20", "--gateways", str(GATEWAYS), "--rate", "100")
SHORT = ("--duration", "2s", "--warmup", "0s")


@pytest.mark.parametrize(
    "arch",
    ["plan1", "plan2", "kafka-broadcast", "kafka-redis", "naive", "redis", "redis-sharded", "redis-streams", "nats"],
)
def test_brokers_count_as_many_transfers_as_the_route_has_arrows(tmp_path: Path, arch: str) -> None:
    route = load_architecture(arch).route(Scene(GATEWAYS, GATEWAYS, room="room", sender=0, listening=range(2)))
    summary = run(tmp_path, "--arch", arch, *ROOMS, *SHORT)
    kafka, redis = summary["kafka"], summary["redis"]
    assert (kafka is None) == (not route.records)
    if kafka is not None:
        assert kafka["records_per_message"] == len(route.records)
        record_bytes = kafka["bytes_in_per_message"] / len(route.records)
        assert kafka["bytes_out_per_message"] / record_bytes == pytest.approx(len(route.fetches), rel=0.02)
    if redis is not None:
        # A stream is read with commands; a channel sends its copies by itself.
        expected = len(route.commands) + (len(route.copies) if arch == "redis-streams" else 0)
        # The relays of kafka-redis also publish their positions, twice a second each.
        assert redis["commands_per_message"] == pytest.approx(expected, rel=0.15)
    if arch != "naive":  # its gateways read at random, so what is wasted is a matter of chance
        assert summary["wasted_deliveries_per_message"] == sum(copy.wasted for copy in route.copies)
