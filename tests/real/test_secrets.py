"""No process of a run has a secret that it does not need."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

import psutil
import pytest

from harness.core.addresses import NATS_PASSWORD, NATS_TOKEN, REDIS_PASSWORD, SENTINEL_PASSWORD
from harness.core.token import TOKEN_VARIABLE
from tests.real.runs import CHATBENCH, PATIENCE_S

OTLP = tuple(
    f"OTEL_EXPORTER_OTLP_{each}" for each in ("HEADERS", "TRACES_HEADERS", "ENDPOINT", "TRACES_ENDPOINT", "CLIENT_KEY")
)
SECRET = "of-nobody-in-this-run-0123"


def test_what_a_run_starts_for_itself_has_none_of_the_secrets_around_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in (TOKEN_VARIABLE, REDIS_PASSWORD, SENTINEL_PASSWORD, NATS_PASSWORD, NATS_TOKEN, *OTLP):
        monkeypatch.setenv(name, SECRET)
    arguments = ("--arch", "redis", "--processes", "2", "--warmup", "1s", "--duration", "4s", "--out", str(tmp_path))
    running = subprocess.Popen([*CHATBENCH, "run", *arguments], stderr=subprocess.PIPE, text=True)
    try:
        assert running.stderr is not None
        told = iter(running.stderr.readline, "")
        assert any("warm-up" in line for line in told)
        children = psutil.Process(running.pid).children(recursive=True)
        assert len(children) >= 8, "Redis, two gateways, the driver, two workers, two audiences"
        known = [child.name() for child in children if SECRET in child.environ().values()]
        assert known == []
        deadline = time.monotonic() + PATIENCE_S
        for _line in told:
            assert time.monotonic() < deadline
        assert running.wait(PATIENCE_S) in (0, 4)
    finally:
        running.kill()
        running.wait()
