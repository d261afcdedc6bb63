"""The same scenario file, run by plain Locust."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from harness.core.registry import scenario_files
from harness.services.ports import free_ports
from tests.real.runs import CHATBENCH

LOCUST = [sys.executable, "-m", "locust", "--headless", "-u", "20", "-r", "20", "-t", "4s"]
BIG_ROOM = str(scenario_files()["big_room"])


def started(*arguments: str, scenario: str = BIG_ROOM) -> subprocess.CompletedProcess[str]:
    argv = [*LOCUST, "-f", scenario, *arguments]
    return subprocess.run(argv, capture_output=True, text=True, check=False)


def locust(*arguments: str) -> str:
    answer = started(*arguments)
    assert answer.returncode == 0, answer.stderr
    return answer.stderr


def test_where_nobody_can_join_it_says_why_and_fails() -> None:
    (nobody,) = free_ports(1)
    answer = started("--host", f"ws://127.0.0.1:{nobody}")
    assert answer.returncode == 3, answer.stderr
    assert "0 members could join, others could not: ConnectionRefusedError" in answer.stderr


def test_a_mistake_of_the_scenario_ends_it_with_its_line(tmp_path: Path) -> None:
    scenario = tmp_path / "mine.py"
    scenario.write_text(
        "from locust import task\nfrom chatbench.locust import Member\nclass Talker(Member):\n"
        "    @task\n    def talk(self):\n        self.say('hello')\n"
    )
    (nobody,) = free_ports(1)
    answer = started("--host", f"ws://127.0.0.1:{nobody}", scenario=str(scenario))
    assert answer.returncode == 2, answer.stderr
    assert f"the scenario {scenario}, line 6, failed: Talker called self.say before it joined a room" in answer.stderr


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
