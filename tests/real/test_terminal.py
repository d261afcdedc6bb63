"""In a healthy run the terminal shows only chatbench's own output, even in the very first run."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import msgspec
import pytest

from harness.services.kafka.jars import cache_dir, missing_jars
from harness.services.nats.server import has_nats_server
from tests.real.runs import CHATBENCH, SHORT

# start: driver and services · once: rehearsal of Kafka's start: 0 of 1 · run 1 of 4: plan2, round 1
OURS = re.compile(r"  \S.*|[a-z][a-z -]+[a-z]( \d+ of \d+)?(: .*)?")
NEVER = re.compile(r"^%|rdkafka|Traceback|Exception|WARN|ERROR|Warning|Task |asyncio")


def only_chatbench_speaks(stderr: str) -> None:
    lines = stderr.splitlines()
    assert lines
    assert [line for line in lines if NEVER.search(line) or not OURS.fullmatch(line)] == []


def command(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*CHATBENCH, *arguments],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def fresh_cache(tmp_path: Path) -> Path:
    """With the jars, which need not be downloaded again, and nothing that a first start leaves."""
    if missing_jars():
        pytest.skip("Kafka's jars are not here yet")
    shutil.copytree(cache_dir(), tmp_path / "cache" / "jars")
    return tmp_path / "cache"


def test_a_first_run_with_kafka(fresh_cache: Path, tmp_path: Path) -> None:
    small = ["--members", "10", *SHORT, "--json", "--out", str(tmp_path / "out")]
    answer = command("run", "--arch", "plan1", *small, CHATBENCH_CACHE=str(fresh_cache))
    assert answer.returncode in (0, 4), answer.stderr
    only_chatbench_speaks(answer.stderr)
    assert "rehearsal of Kafka's start" in answer.stderr
    assert msgspec.json.decode(answer.stdout)["delivered"] > 0


def test_one_of_each_kind(tmp_path: Path) -> None:
    kinds = ["plan2", "kafka-redis", "redis-streams", "python-socketio", *(["nats"] if has_nats_server() else [])]
    asked = [part for kind in kinds for part in ("--arch", kind)]
    answer = command("compare", *asked, "--members", "10", "--rounds", "1", *SHORT, "--out", str(tmp_path))
    assert answer.returncode in (0, 4), answer.stderr
    only_chatbench_speaks(answer.stderr)
    assert not NEVER.search(answer.stdout)


def test_what_was_measured_is_told_to_a_terminal_that_knows_ascii_alone(tmp_path: Path) -> None:
    ascii_alone = {"PYTHONIOENCODING": "ascii", "LANG": "C", "LC_ALL": "C"}
    answer = command("run", "--arch", "direct", "--members", "10", "--out", str(tmp_path), *SHORT, **ascii_alone)
    assert answer.returncode in {0, 4}, answer.stderr
    assert answer.stdout.isascii()
    assert "deliveries" in answer.stdout
    assert next(tmp_path.glob("*/report.html")).is_file()
