"""The metrics that a gateway gives to Prometheus."""

from __future__ import annotations

import http.client
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from architectures.interface import Services, Topology
from harness.gateway.metrics import CONTENT_TYPE_LATEST, OpenMetrics
from harness.gateway.settings import Exposure, GatewayStats
from harness.services.fleet import Fleet, FleetOptions

TOKEN = "not-a-secret-of-anybody"
STATS = GatewayStats(
    process="here 1 2",
    cpu_s=0.5,
    rss_bytes=1,
    members=3,
    rooms=2,
    frames_out=40,
    writes=30,
    bytes_out=5000,
    wasted=1,
    counts={"slow_cut_off": 1, "joins": 7},
)


def samples(text: str) -> dict[tuple[str, str], float]:
    """By name and event."""
    return {
        (sample.name, sample.labels.get("event", "")): sample.value
        for family in text_string_to_metric_families(text)  # type: ignore[no-untyped-call]  # prometheus-client's
        for sample in family.samples
    }


def test_every_counter_of_a_gateway_is_told() -> None:
    told = samples(OpenMetrics("plan1", 1, lambda: STATS).text())
    for name, value in (
        ("members", STATS.members),
        ("rooms", STATS.rooms),
        ("deliveries_total", STATS.frames_out),
        ("writes_total", STATS.writes),
        ("sent_bytes_total", STATS.bytes_out),
        ("wasted_total", STATS.wasted),
    ):
        assert told[f"chatbench_gateway_{name}", ""] == value
    for event, count in STATS.counts.items():
        assert told["chatbench_gateway_events_total", event] == count
    assert told["process_resident_memory_bytes", ""] > 0


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[Fleet]:
    topology = Topology(run_id="watched", gateways=1)
    fleet = Fleet("direct", Services(), topology, tmp_path, FleetOptions(exposure=Exposure(token=TOKEN)))
    fleet.start()
    try:
        fleet.wait_ready()
        yield fleet
    finally:
        fleet.stop()


def test_a_gateway_answers_a_scrape_of_who_shows_its_token(guarded: Fleet) -> None:
    (url,) = guarded.urls
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=10)
    connection.request("GET", "/metrics", headers={"Authorization": f"Bearer {TOKEN}"})
    answer = connection.getresponse()
    assert answer.headers.get_all("Content-Type") == [CONTENT_TYPE_LATEST]
    assert samples(answer.read().decode())["chatbench_gateway_members", ""] == 0
    connection.close()
    connection.request("GET", "/metrics")
    assert connection.getresponse().status == 401
    connection.close()
