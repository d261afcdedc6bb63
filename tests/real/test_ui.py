"""Locust's web UI in a real browser, with a real broker."""

from __future__ import annotations

import csv
import http.client
import json
import re
import socket
import subprocess
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.services.ports import free_ports
from tests.browser import Page, chromium, needs_chromium
from tests.real.runs import CHATBENCH, PATIENCE_S

# The form's fields as they stand on the page, without those that are not shown.
NAMES_FROM_TOP = (
    "[...document.querySelectorAll('input, select')].filter(each => each.name && each.offsetParent)"
    ".sort((a, b) => a.getBoundingClientRect().top - b.getBoundingClientRect().top).map(each => each.name)"
)
NAMED = ("--origin", "http://bench.example:8089")
ROWS = ("connect", "join", "say->ack", "deliver")


@pytest.fixture
def running(tmp_path: Path) -> Iterator[str]:
    """`chatbench ui` with two Locust workers; its address."""
    (port,) = free_ports(1)
    arguments = ["--arch", "redis", "--processes", "2", "--members", "30", "--warmup", "1s", "--rate", "30"]
    argv = [*CHATBENCH, "ui", *arguments, "--port", str(port), "--out", str(tmp_path), *NAMED]
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


def until(reached: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not reached():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def seconds_measured(out: Path) -> int:
    """How many seconds of measurement are in the records so far."""
    return sum(series.read_text().count("measure") for series in out.glob("*/timeseries.csv"))


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
        page.wait_for("Boolean(document.querySelector('[name=rate]'))")
        fields = page.run(NAMES_FROM_TOP)
        assert fields[:2] == ["scenario", "rate"]
        assert not {"host", "profile"} & set(fields)
        page.fill("rate", "-1")
        page.click_until("Start", "document.body.innerText.includes('--rate is -1')")
        page.fill("rate", "40")
        page.fill("userCount", "40")
        page.click("Start")
        for row in ROWS:
            page.wait_for(f"[...document.querySelectorAll('td')].some(cell => cell.innerText === {json.dumps(row)})")
        assert not page.run("/Aggregated|Edit|Reset/i.test(document.body.innerText)")
        until(lambda: seconds_measured(tmp_path) >= 2)
        page.click("Stop")
        page.wait_for("document.body.innerText.includes('STOPPED')")
        page.click("Ledger and CPU")
        page.wait_for("document.body.innerText.includes('lost acked')")
        said = shown(page)
        link = page.wait_for("(document.querySelector('td a') || {}).href")
        with urllib.request.urlopen(link, timeout=10) as report:
            assert b"<title>" in report.read()
        page.click("Download data")
        page.click("Download requests CSV")
        (record,) = [path.parent for path in tmp_path.glob("*/summary.json")]
        until(lambda: any(tmp_path.glob("Locust_*requests*.csv")))
        (downloaded,) = tmp_path.glob("Locust_*requests*.csv")
    summary = json.loads((record / "summary.json").read_text())
    assert (summary["status"], summary["members"], summary["rooms"]) == ("complete", 40, 1)
    assert summary["expected"] == summary["delivered"] == 40 * summary["sent"] > 0
    # In the browser, in Locust's file and in the record: the same counts.
    recorded = counts(record / "locust_stats.csv")
    assert counts(downloaded) == recorded
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


def test_the_address_is_printed_when_the_ui_answers_and_not_before(tmp_path: Path) -> None:
    """Nor does it listen before the gateways are known: a form sent then would be checked without their limit."""
    (port,) = free_ports(1)
    argv = [*CHATBENCH, "ui", "--arch", "direct", "--port", str(port), "--out", str(tmp_path)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as ui:
        assert ui.stdout is not None
        try:
            said = ui.stdout.readline()
            socket.create_connection(("127.0.0.1", port), timeout=10).close()
            assert f"http://127.0.0.1:{port}" in said
        finally:
            ui.terminate()
        assert ui.wait(30) == 0


def answer_to(address: str, path: str, **fields: object) -> dict[str, Any]:
    data = urllib.parse.urlencode(fields).encode()
    with urllib.request.urlopen(f"{address}/{path}", data=data, timeout=90) as answer:
        told: dict[str, Any] = json.load(answer)
    return told


def table(address: str) -> dict[str, Any]:
    """What Locust shows of the test that is on."""
    with urllib.request.urlopen(f"{address}/stats/requests", timeout=30) as answer:
        told: dict[str, Any] = json.load(answer)
    return told


def connected(address: str) -> int:
    return sum(int(row["num_requests"]) for row in table(address)["stats"] if row["name"] == "connect")


def post(address: str, path: str, **fields: object) -> None:
    told = answer_to(address, path, **fields)
    assert told["success"], told


def test_a_test_stopped_too_early_is_not_recorded_and_the_next_may_be_another_scenario(
    running: str, tmp_path: Path
) -> None:
    post(running, "swarm", user_count=30, spawn_rate=2)
    until(lambda: table(running)["user_count"] > 0)
    post(running, "stop")
    assert list(tmp_path.glob("*/summary.json")) == []
    post(running, "swarm", user_count=20, spawn_rate=20, scenario="spike", goal_after_s=1, goal_s=1, warmup=0)
    until(lambda: connected(running) == 20 and seconds_measured(tmp_path) >= 3)
    post(running, "stop")
    (record,) = [path.parent for path in tmp_path.glob("*-redis-spike/summary.json")]
    summary = json.loads((record / "summary.json").read_text())
    assert (summary["status"], summary["lost"]) == ("complete", 0)
    assert counts(record / "locust_stats.csv")["connect"] == 20  # half of them came for the goal


def refusal(address: str, path: str, **fields: object) -> str:
    told = answer_to(address, path, **fields)
    assert told["success"] is False
    return str(told["message"])


def test_what_is_refused_leaves_nothing_behind_and_nothing_changes_a_test_that_is_on(
    running: str, tmp_path: Path
) -> None:
    members = {"user_count": 20, "spawn_rate": 20}
    for bad, says in {
        "scenario=no_such_chat": "scenario is 'no_such_chat'; known: big_room",
        "rate=many": "rate is 'many', but it must be a number",
        "rooms=1.5": "rooms is '1.5', but it must be a whole number",
        "user_count=a few": "user_count is 'a few', but it must be a whole number",
        "spawn_rate=0": "spawn_rate is 0",
        "run_time=soon": "run_time is 'soon', but it must be like 20s",
        "user_count=1000000000": "--members is 1",
        "rate=nan": "--rate is nan",
        "spawn_rate=nan": "spawn_rate is nan",
        "num_users=1000000000": "'num_users' is not a field of this form",
        "expect_workers=9": "'expect_workers' is not a field of this form",
        "host=ws://elsewhere": "host is 'ws://elsewhere', but tests use the gateways of chatbench ui",
    }.items():
        name, _, value = bad.partition("=")
        assert says in refusal(running, "swarm", **{**members, name: value})
    assert "the locustfile defines" in refusal(running, "user", user_class_name="Viewer")
    assert "no test is running" in refusal(running, "stop")
    assert "does not support this request" in refusal(running, "tasks", anything=1)
    post(running, "swarm", **members, rate=40)
    until(lambda: seconds_measured(tmp_path) >= 1)
    for change in (
        {"user_count": 60},
        {"user_count": 1_000_000_000},
        {"num_users": 1_000_000_000},
        {"rate": 80},
        {"rate": "many"},
        {"scenario": "spike"},
    ):
        assert "a test is running" in refusal(running, "swarm", **{**members, **change})
    assert "a test is running" in refusal(running, "stats/reset")
    until(lambda: seconds_measured(tmp_path) >= 2)
    post(running, "stop")
    (record,) = [path.parent for path in tmp_path.glob("*/summary.json")]
    summary, settings = (json.loads((record / file).read_text()) for file in ("summary.json", "manifest.json"))
    assert (summary["status"], summary["members"], summary["scenario"]) == ("complete", 20, "big_room")
    assert [each["rate_per_s"] for each in summary["classes"]] == [40]
    assert json.dumps(settings).count('"rate_per_s": 40') == 1
    assert counts(record / "locust_stats.csv")["connect"] == 20


PATHS = ("", "stats/requests", "stats/report", "logs", "tasks", "exceptions", "ledger/csv", "assets/x", "nowhere")
ORDERS = ("swarm", "stop", "stats/reset", "user", "nowhere")


def test_pages_of_other_origins_give_no_orders_and_read_nothing(running: str, tmp_path: Path) -> None:
    here = urllib.parse.urlsplit(running).netloc
    foreign: list[dict[str, str]] = [{"Origin": "http://evil.example"}, {"Origin": "null"}, {"Host": "evil.example:80"}]
    for told in foreign:
        asked = [("GET", path) for path in PATHS] + [("POST", path) for path in ORDERS] + [("OPTIONS", "swarm")]
        for method, path in asked:
            status, text = raw_answer(here, method, path, told)
            assert (method, path, status) == (method, path, 403)
            assert text.count("\n") == 1
            assert "--origin" in text
    for own in ({"Origin": running}, {"Origin": "http://bench.example:8089"}, {"Host": "bench.example"}, {}):
        status, text = raw_answer(here, "POST", "stop", own)
        assert (status, "no test is running" in text) == (200, True)
    assert raw_answer(here, "POST", "swarm", {}, size=1_000_000)[0] == 413
    assert list(tmp_path.glob("*/summary.json")) == []


def raw_answer(address: str, method: str, path: str, headers: dict[str, str], size: int = 20) -> tuple[int, str]:
    body = (
        urllib.parse.urlencode({"user_count": 10, "spawn_rate": 10, "host": "x" * size}) if method == "POST" else None
    )
    form = {"Content-Type": "application/x-www-form-urlencoded"} if body else {}
    connection = http.client.HTTPConnection(address, timeout=30)
    try:
        connection.request(method, f"/{path}", body, {**form, **headers})
        response = connection.getresponse()
        return response.status, response.read().decode()
    finally:
        connection.close()
