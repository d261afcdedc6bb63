"""The same scenario file under Locust alone."""

from __future__ import annotations

import re
import subprocess
import sys

from harness.registry import scenario_files
from tests.real.runs import CHATBENCH

LOCUST = [sys.executable, "-m", "locust", "--headless", "-u", "20", "-r", "20", "-t", "4s"]


def locust(*arguments: str) -> str:
    scenario = str(scenario_files()["big_room"])
    answer = subprocess.run(
        [*LOCUST, "-f", scenario, *arguments], capture_output=True, text=True, timeout=120, check=False
    )
    assert answer.returncode == 0, answer.stderr
    return answer.stderr


def assert_all_delivered(log: str) -> None:
    sent = re.search(r"sent (\d+), acked (\d+), not sent (\d+)", log)
    verdict = re.search(r"deliveries: (\d+) of (\d+) expected; lost (\d+)", log)
    assert sent is not None, log
    assert verdict is not None, log
    assert int(sent[1]) == int(sent[2]) > 0
    assert int(verdict[1]) == int(verdict[2]) > 0
    assert int(verdict[3]) == 0


def test_without_a_host_it_starts_services_of_its_own() -> None:
    assert_all_delivered(locust("--arch", "plan1"))


def test_with_a_host_it_uses_the_gateways_that_run() -> None:
    with subprocess.Popen([*CHATBENCH, "up", "--arch", "direct"], stdout=subprocess.PIPE, text=True) as up:
        assert up.stdout is not None
        url = re.search(r"ws://[\d.:]+", up.stdout.readline())
        assert url is not None
        try:
            assert_all_delivered(locust("--host", url[0]))
        finally:
            up.terminate()
        assert up.wait(30) == 0
