"""The same run with one Locust worker, with three, and with one that dies."""

from __future__ import annotations

import csv
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil

from chatbench import read_messages
from harness.core.registry import scenario_files
from harness.measure.histogram import Latencies
from harness.runs.record import HISTOGRAMS
from harness.services.ports import free_ports
from tests.real.runs import CHATBENCH, PATIENCE_S, run, wait_until_measured

LOAD = ["--arch", "redis", "--members", "31", "--rate", "60", "--duration", "4s", "--warmup", "1s"]
STOOD_STILL_S = 0.8  # longer than a process that keeps up ever lags
EXACT = ("sent", "acked", "not_sent", "expected", "delivered", "lost", "duplicated", "reordered", "neither", "strays")


def summed_up(record: Path, name: str) -> float | None:
    """The p99 that summary.json has of that histogram."""
    summary = json.loads((record / "summary.json").read_text())
    if name == "caught_up":
        return None if summary["resumed"] is None else summary["resumed"]["caught_up_ms"]["p99"]
    p99: float | None = summary[f"{name}_ms"]["p99"]
    return p99


def test_one_worker_and_three_give_the_same_counts(tmp_path: Path) -> None:
    one, three = (
        run(tmp_path / processes, *LOAD, "--processes", processes, "--payload-sizes", "lognormal")
        for processes in ("1", "3")
    )
    assert {key: one[key] for key in EXACT} == {key: three[key] for key in EXACT}
    assert three["delivered"] == three["expected"] == 31 * three["sent"] > 0
    assert 0 < three["latency_from_sending_ms"]["p50"] <= three["latency_ms"]["p99"]
    for record in (one["folder"], three["folder"]):
        latencies = Latencies.decode((record / "latency.hdr").read_bytes())
        assert latencies.count == three["delivered"]
        for name in HISTOGRAMS:
            assert Latencies.decode((record / f"{name}.hdr").read_bytes()).percentile_ms(99) == summed_up(record, name)
        messages = read_messages(record)
        assert (len(messages), messages["heard_by"].sum()) == (three["sent"], three["delivered"])
        assert messages["acked_ns"].notna().all()
        with (record / "locust_stats.csv").open() as rows:
            counts = {row["Name"]: int(row["Request Count"]) for row in csv.DictReader(rows)}
        assert counts["deliver"] == three["delivered"]
        assert counts["say->ack"] == three["acked"]
        assert counts["connect"] == counts["join"] == 31


def test_a_process_that_hears_and_stood_still_makes_the_driver_not_valid(tmp_path: Path) -> None:
    """Also one of three, and whether anybody there speaks or not."""
    arguments = ["run", "--no-report", *LOAD, "--duration", "8s", "--processes", "3", "--out", str(tmp_path), "--json"]
    with subprocess.Popen([*CHATBENCH, *arguments], stdout=subprocess.PIPE, text=True) as process:
        wait_until_measured(process, tmp_path, seconds=2)
        *_, audience = (
            child
            for child in psutil.Process(process.pid).children(recursive=True)
            if "harness.audience.engine" in child.cmdline()
        )
        audience.suspend()
        time.sleep(STOOD_STILL_S)
        audience.resume()
        summary = json.loads(process.communicate(timeout=PATIENCE_S)[0])
    assert process.returncode == 4
    assert "an audience process lagged" in summary["driver"]["why"]
    assert summary["delivered"] == summary["expected"]


def test_a_worker_that_dies_is_reported_and_its_members_count_for_nothing(tmp_path: Path) -> None:
    arguments = ["run", "--no-report", *LOAD, "--duration", "12s", "--processes", "3", "--out", str(tmp_path), "--json"]
    with subprocess.Popen(
        [*CHATBENCH, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        wait_until_measured(process, tmp_path, seconds=1)
        workers = [
            child.pid
            for child in psutil.Process(process.pid).children(recursive=True)
            if "harness.load.worker" in child.cmdline()
        ]
        assert len(workers) == 3
        os.kill(workers[0], signal.SIGKILL)
        summary = json.loads(process.communicate(timeout=PATIENCE_S)[0])
    assert process.returncode == 4
    assert summary["driver"]["valid"] is False
    assert "1 of the Locust workers ended" in summary["driver"]["why"]
    # The others heard everything that the others said.
    assert summary["expected"] > 0
    assert (summary["lost"], summary["duplicated"], summary["reordered"]) == (0, 0, 0)
    assert summary["cpu_us_per_delivery"]["driver"] is None


def test_locusts_own_processes_each_have_an_audience(tmp_path: Path) -> None:
    scenario = str(scenario_files()["big_room"])
    argv = [sys.executable, "-m", "locust", "-f", scenario, "--headless", "-u", "20", "-r", "20", "-t", "4s"]
    (port,) = map(str, free_ports(1))  # not Locust's usual one, which another test may have
    at = ["--master-bind-port", port, "--master-port", port]
    answer = subprocess.run(
        [*argv, "--processes", "2", "--arch", "direct", *at], capture_output=True, text=True, check=False
    )
    assert answer.returncode == 0, answer.stderr
    verdict = re.search(r"deliveries: (\d+) of (\d+) expected; lost (\d+)", answer.stderr)
    assert verdict is not None, answer.stderr
    assert int(verdict[1]) == int(verdict[2]) > 0
    assert int(verdict[3]) == 0
