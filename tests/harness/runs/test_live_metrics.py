"""The metrics of a run in progress."""

from __future__ import annotations

import http.client
import subprocess
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from harness.core.errors import UsageError
from harness.runs.live_metrics import watched
from harness.services.ports import free_ports
from tests.real.runs import CHATBENCH


def scrape(port: int) -> dict[tuple[str, str], float]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("GET", "/metrics")
    text = connection.getresponse().read().decode()
    connection.close()
    labels = ("quantile", "phase", "what")
    return {
        (sample.name, next((sample.labels[label] for label in labels if label in sample.labels), "")): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


@pytest.mark.real
def test_a_run_can_be_watched_while_it_measures(tmp_path: Path) -> None:
    (port,) = free_ports(1)
    where = ("--metrics", f"127.0.0.1:{port}", "--out", str(tmp_path))
    lasts = ("--members", "10", "--rate", "20", "--warmup", "1s", "--duration", "6s")
    argv = [*CHATBENCH, "run", "--arch", "direct", *where, *lasts]
    with subprocess.Popen(argv, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True) as running:
        assert running.stderr is not None
        for line in running.stderr:
            if line.startswith("measure: "):
                break
        told = scrape(port)
        while told.get(("chatbench_driver_phase", "measure")) != 1:
            assert running.poll() is None
            told = scrape(port)
        running.stderr.read()
    assert running.returncode in (0, 4)
    assert told["chatbench_driver_members", ""] == 10
    assert told["chatbench_driver_said_total", ""] >= told["chatbench_driver_acked_total", ""] > 0
    assert told["chatbench_driver_delivered_total", ""] > told["chatbench_driver_acked_total", ""]
    quantiles = [told["chatbench_driver_latency_seconds", quantile] for quantile in ("0.5", "0.9", "0.99", "1")]
    assert quantiles == sorted(quantiles)
    assert 0 < quantiles[0] < 1


def test_an_address_that_is_taken_is_one_sentence() -> None:
    (port,) = free_ports(1)
    taken = pytest.raises(UsageError, match=f"--metrics 127.0.0.1:{port}: something listens there already")
    with watched(f"127.0.0.1:{port}"), taken, watched(f"127.0.0.1:{port}"):
        pass
    with watched(f"127.0.0.1:{port}"):
        pass  # it is free again


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "evil.example:9646"}, 403),
        ({"Host": "localhost:9646", "Origin": "http://evil.example"}, 403),
        ({"Host": "localhost:9646"}, 200),
        ({"Host": "driver:8089"}, 200),
    ],
)
def test_no_page_of_elsewhere_watches(headers: dict[str, str], status: int) -> None:
    (port,) = free_ports(1)
    with watched(f"127.0.0.1:{port}", ("http://driver:8089",)):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        connection.request("GET", "/metrics", headers=headers)
        answer = connection.getresponse()
        assert answer.status == status
        assert (b"chatbench_driver" in answer.read()) is (status == 200)
        connection.close()
