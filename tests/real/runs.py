"""Runs `chatbench` the way a user does."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

CHATBENCH = [sys.executable, "-m", "harness.cli"]
SHORT = ["--duration", "3s", "--warmup", "1s"]
# For what must come, however busy the machine is: not a measurement. pytest itself ends what takes longer.
PATIENCE_S = 240


def chatbench(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*CHATBENCH, *arguments], capture_output=True, text=True, check=False)


def run(out: Path, *arguments: str) -> dict[str, Any]:
    """The summary that `chatbench run --json` prints, with the record's folder as `folder`; without charts and page.

    A driver that was too slow for its latencies (exit 4) is no failure here: the counts hold all the same, and a
    test must not depend on how busy the machine is.
    """
    return run_with_page(out, "--no-report", *arguments)


def run_with_page(out: Path, *arguments: str) -> dict[str, Any]:
    answer = chatbench("run", "--json", "--out", str(out), *SHORT, *arguments)
    assert answer.returncode in (0, 4), answer.stderr
    summary: dict[str, Any] = msgspec.json.decode(answer.stdout)
    (summary["folder"],) = [path for path in out.iterdir() if path.is_dir()]
    return summary


def wait_until_measured(running: subprocess.Popen[str], out: Path, seconds: int) -> None:
    """Return when the one run whose record is in that folder has measured for so many seconds."""
    while not any(series.read_text().count("measure") >= seconds for series in out.glob("*/timeseries.csv")):
        assert running.poll() is None
        time.sleep(0.02)


@contextmanager
def services_up() -> Iterator[subprocess.Popen[str]]:
    """A `chatbench up` with a Kafka and a Redis, which ends as a user ends it."""
    with subprocess.Popen([*CHATBENCH, "up", "--arch", "kafka-redis"], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert "gateways" in process.stdout.readline()
        yield process
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
    assert process.returncode in (0, 130)
