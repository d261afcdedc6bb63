"""Brokers that stand while a file's runs come and go, as `chatbench up` offers them to a user."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator

import pytest

from tests.real.runs import CHATBENCH


@pytest.fixture(scope="module")
def standing() -> Iterator[None]:
    """A Kafka and a Redis for every run of the file that can use them: a run then starts in one second, not in five."""
    with subprocess.Popen([*CHATBENCH, "up", "--arch", "kafka-redis"], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert "gateways" in process.stdout.readline()
        yield
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
    assert process.returncode in (0, 130)
