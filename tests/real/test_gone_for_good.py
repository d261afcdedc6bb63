"""The permanent loss of a backend ends a run that needs it, at once and with the backend's name."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
import redis
from confluent_kafka.admin import AdminClient

from harness.services.kafka.cluster import Kafka
from harness.services.kafka.install import ensure_installation
from harness.services.redis.server import RedisServer, start_redis
from tests.real.runs import CHATBENCH

LOAD = ["--members", "20", "--rate", "40", "--warmup", "1s", "--duration", "60s"]
WAIT_S = 90.0


@pytest.fixture
def kafka(tmp_path: Path) -> Iterator[Kafka]:
    kafka = Kafka.make(ensure_installation(lambda *_: None), 1, tmp_path, tmp_path)
    kafka.start()
    try:
        kafka.wait_ready()
        yield kafka
    finally:
        kafka.stop()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    server = start_redis(tmp_path, tmp_path / "redis.log")
    yield server
    server.stop()


def begin(out: Path, *arguments: str) -> subprocess.Popen[str]:
    argv = [*CHATBENCH, "run", "--no-report", *LOAD, "--out", str(out), *arguments]
    return subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def wait_until_measured(out: Path) -> Path:
    """The record, when messages of the measurement are in it."""
    deadline = time.monotonic() + WAIT_S
    while time.monotonic() < deadline:
        for series in out.glob("*/timeseries.csv"):
            if len([line for line in series.read_text().splitlines() if "measure" in line]) > 2:
                return series.parent
        time.sleep(0.1)
    raise TimeoutError("the measurement did not begin")


def failed(running: subprocess.Popen[str], record: Path) -> str:
    """What it says of how it failed, which took it far less time than the measurement would have."""
    began_s = time.monotonic()
    _said, complaint = running.communicate(timeout=WAIT_S)
    assert running.returncode == 3, complaint
    assert time.monotonic() - began_s < 45
    summary = msgspec.json.decode((record / "summary.json").read_bytes())
    assert summary["status"] == "failed"
    assert "Traceback" not in complaint
    return str(summary["why"])


@pytest.mark.parametrize("arch", ["kafka-broadcast", "plan2"])
def test_a_topic_that_is_deleted_under_load(tmp_path: Path, kafka: Kafka, arch: str) -> None:
    out = tmp_path / "out"
    running = begin(out, "--arch", arch, "--kafka-bootstrap", kafka.bootstrap)
    record = wait_until_measured(out)
    admin = AdminClient({"bootstrap.servers": kafka.bootstrap})
    (topic,) = [name for name in admin.list_topics(timeout=20).topics if name.endswith("-chat")]
    admin.delete_topics([topic])[topic].result(20)
    assert f"the topic {topic} was deleted from Kafka" in failed(running, record)


def test_a_right_that_is_taken_away_under_load(tmp_path: Path, server: RedisServer) -> None:
    owner = redis.Redis(port=server.port)
    owner.execute_command("ACL", "SETUSER", "guest", "on", "nopass", "+@all", "~*", "&*")  # type: ignore[no-untyped-call]  # redis-py's
    out = tmp_path / "out"
    running = begin(out, "--arch", "redis", "--redis-url", f"redis://guest@127.0.0.1:{server.port}/0")
    record = wait_until_measured(out)
    before = owner.info("stats")["total_connections_received"]
    owner.execute_command("ACL", "SETUSER", "guest", "resetchannels")  # type: ignore[no-untyped-call]  # as above
    assert "Redis forbids its user to" in failed(running, record)
    assert owner.info("stats")["total_connections_received"] - before < 20


def test_streams_that_are_deleted_under_load(tmp_path: Path, server: RedisServer) -> None:
    out = tmp_path / "out"
    running = begin(out, "--arch", "redis-streams", "--redis-url", server.url)
    record = wait_until_measured(out)
    redis.Redis(port=server.port).flushall()
    assert "was deleted from Redis" in failed(running, record)
