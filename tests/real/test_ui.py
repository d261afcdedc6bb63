"""Locust's web UI, in a real browser, over a real broker."""

from __future__ import annotations

import csv
import json
import re
import subprocess
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.services.ports import free_ports
from tests.browser import Page, chromium, needs_chromium
from tests.real.runs import CHATBENCH

ROWS = ("connect", "join", "say->ack", "deliver")


@pytest.fixture
def running(tmp_path: Path) -> Iterator[str]:
    """`chatbench ui` with two Locust workers; its address."""
    (port,) = free_ports(1)
    arguments = ["--arch", "redis", "--processes", "2", "--members", "30", "--warmup", "1s", "--rate", "30"]
    argv = [*CHATBENCH, "ui", *arguments, "--port", str(port), "--out", str(tmp_path)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as ui:
        assert ui.stdout is not None
        try:
            address = re.search(r"http://[\d.:]+", ui.stdout.readline())
            assert address is not None
            yield address[0]
        finally:
            ui.terminate()
        assert ui.wait(30) == 0


def counts(path: Path) -> dict[str, int]:
    with path.open() as rows:
        return {row["Name"]: int(row["Request Count"]) for row in csv.DictReader(rows)}


def shown(page: Page) -> dict[str, str]:
    """What the tab says."""
    rows = page.run("[...document.querySelectorAll('tr')].map(row => [...row.children].map(cell => cell.innerText))")
    return {row[0]: row[1] for row in rows if len(row) == 2}


@needs_chromium
def test_a_test_is_started_watched_stopped_and_downloaded_and_the_counts_are_the_records(
    running: str, tmp_path: Path
) -> None:
    with chromium(tmp_path / "profile") as page:
        page.download_to(tmp_path)
        page.open(running)
        page.fill("rate", "-1")
        page.click_until("Start", "document.body.innerText.includes('--rate is -1')")
        page.fill("rate", "40")
        page.fill("userCount", "40")
        page.click("Start")
        for row in ROWS:
            page.wait_for(f"[...document.querySelectorAll('td')].some(cell => cell.innerText === {json.dumps(row)})")
        time.sleep(3)
        page.click("Stop")
        page.wait_for("document.body.innerText.includes('STOPPED')")
        page.click("Ledger and CPU")
        page.wait_for("document.body.innerText.includes('lost acked')")
        said = shown(page)
        page.click("Download data")
        page.click("Download requests CSV")
        (record,) = [path.parent for path in tmp_path.glob("*/summary.json")]
        deadline = time.monotonic() + 20
        while not (downloaded := list(tmp_path.glob("Locust_*requests*.csv"))) and time.monotonic() < deadline:
            time.sleep(0.1)
    summary = json.loads((record / "summary.json").read_text())
    assert (summary["status"], summary["members"], summary["rooms"]) == ("complete", 40, 1)
    assert summary["expected"] == summary["delivered"] == 40 * summary["sent"] > 0
    # In the browser, in Locust's file and in the record: the same counts.
    recorded = counts(record / "locust_stats.csv")
    assert counts(downloaded[0]) == recorded
    assert [recorded[row] for row in ROWS] == [40, 40, summary["acked"], summary["delivered"]]
    assert {what: said[what] for what in ("sent", "lost", "duplicated", "reordered")} == {
        "sent": f"{summary['sent']:,}",
        "lost": "0",
        "duplicated": "0",
        "reordered": "0",
    }
    assert float(said["CPU us per delivery, redis"]) == round(summary["cpu_us_per_delivery"]["redis"], 1)
    assert said["record"] == str(record)
    assert (record / "report.html").exists()


def post(address: str, path: str, **fields: object) -> None:
    data = urllib.parse.urlencode(fields).encode()
    with urllib.request.urlopen(f"{address}/{path}", data=data, timeout=90) as answer:
        assert json.load(answer)["success"]


def test_a_test_stopped_too_early_is_not_recorded_and_the_next_may_be_another_scenario(
    running: str, tmp_path: Path
) -> None:
    post(running, "swarm", user_count=30, spawn_rate=2)
    time.sleep(2)
    post(running, "stop")
    assert list(tmp_path.glob("*/summary.json")) == []
    post(running, "swarm", user_count=20, spawn_rate=20, scenario="spike", goal_after_s=1, goal_s=1, warmup=0)
    time.sleep(6)
    post(running, "stop")
    (record,) = [path.parent for path in tmp_path.glob("*-redis-spike/summary.json")]
    summary = json.loads((record / "summary.json").read_text())
    assert (summary["status"], summary["lost"]) == ("complete", 0)
    assert counts(record / "locust_stats.csv")["connect"] == 20  # half of them came for the goal
