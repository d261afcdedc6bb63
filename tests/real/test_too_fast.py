"""Loads that exceed what gateways accept from one member, on running gateways and on those of the run itself."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.request import urlopen

import pytest

from harness.gateway.settings import FLOOD_REASON
from harness.services.ports import free_ports
from tests.command_line import refusal
from tests.real.runs import CHATBENCH, chatbench, run
from tests.real.test_fleet import gateway, standing
from tests.real.test_plain_locust import assert_all_delivered, locust, started
from tests.real.test_ui import refusal as refusal_of_the_form

FAST = ("--members", "2", "--rate", "4000")
# Asks for little, and says much: nothing is known of that before it is said.
HASTY = """\
from locust import task
from chatbench.locust import Member

class Hasty(Member):
    asked = 0

    def on_start(self):
        self.join("stage")

    def rate_per_s(self):
        self.asked += 1
        return 10.0 if self.asked == 1 and not {at_once} else 4000.0

    @task
    def talk(self):
        self.say("x")
"""


@pytest.fixture(scope="module")
def usual(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A gateway of the usual limits."""
    (port,) = free_ports(1)
    with standing(tmp_path_factory.mktemp("usual"), gateway(port, "--arch", "direct")):
        yield f"ws://127.0.0.1:{port}"


def hasty(folder: Path, *, at_once: bool) -> str:
    scenario = folder / "hasty.py"
    scenario.write_text(HASTY.format(at_once=at_once))
    return str(scenario)


def test_a_gateway_says_what_it_takes_from_one_member(usual: str) -> None:
    with urlopen(f"{usual.replace('ws:', 'http:')}/about", timeout=10) as answer:
        assert json.load(answer)["frames_per_s"] == 1_000


@pytest.mark.parametrize(
    ("command", "load", "says"),
    [
        ("run", FAST, "each member sends 2,000 frames per second, but these gateways close a member that sends more"),
        ("run", FAST, "use --members 4 or more, or a --rate of 2,000 or less"),
        ("run", ("--members", "10", "--rate", "4000"), "the busiest member sends 2,000 frames per second"),
        ("capacity", ("--members", "2", "--from", "4000"), "use --members 4 or more, or a --rate of 2,000 or less"),
    ],
)
def test_a_run_that_is_too_fast_for_gateways_that_stand_is_refused(
    usual: str, command: str, load: tuple[str, ...], says: str, tmp_path: Path
) -> None:
    assert says in refusal(command, "--arch", "direct", "--gateways-at", usual, "--out", tmp_path, *load)
    assert not list(tmp_path.rglob("summary.json"))


def test_a_capacity_ends_where_the_gateways_take_no_more(usual: str, tmp_path: Path) -> None:
    plan = ("--from", "1500", "--slo", "60s", "--duration", "2s", "--warmup", "0s", "--budget", "40s", "--json")
    at = ("--arch", "direct", "--gateways-at", usual, "--members", "2")
    answer = chatbench("capacity", *at, "--out", str(tmp_path), *plan)
    assert answer.returncode in (0, 4), answer.stderr
    (found,) = json.loads(answer.stdout)["capacities"]
    assert max(attempt["rate_per_s"] for attempt in found["attempts"]) == 1500


def test_who_is_too_fast_all_the_same_fails_the_run_by_name(usual: str, tmp_path: Path) -> None:
    scenario = hasty(tmp_path, at_once=False)
    load = ("--members", "2", "--rate", "20", "--duration", "20s", "--warmup", "0s", "--scenario", scenario)
    answer = chatbench("run", "--arch", "direct", "--gateways-at", usual, "--out", str(tmp_path), *load)
    assert answer.returncode == 3, answer.stderr
    assert f"{FLOOD_REASON} 1,000); use more --members, or a lower --rate" in answer.stderr
    (summary,) = tmp_path.rglob("summary.json")
    told = json.loads(summary.read_text())
    assert told["status"] == "failed"
    assert FLOOD_REASON in told["why"]


def test_plain_locust_is_refused_there_too_and_fails_by_name(usual: str, tmp_path: Path) -> None:
    refused = started("--host", usual, "--rate", "40000")
    assert refused.returncode == 2, refused.stderr
    assert "use --members 40 or more, or a --rate of 20,000 or less" in refused.stderr
    failed = started("--host", usual, "-u", "2", "-r", "2", scenario=hasty(tmp_path, at_once=True))
    assert failed.returncode == 3, failed.stderr
    assert FLOOD_REASON in failed.stderr


def test_the_form_of_the_web_ui_is_refused_what_standing_gateways_do_not_take(usual: str, tmp_path: Path) -> None:
    (port,) = free_ports(1)
    argv = [*CHATBENCH, "ui", "--arch", "direct", "--gateways-at", usual, "--port", str(port), "--out", str(tmp_path)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as ui:
        assert ui.stdout is not None
        try:
            here = f"http://127.0.0.1:{port}"
            assert here in ui.stdout.readline()
            assert "use --members 4 or more" in refusal_of_the_form(
                here, "swarm", user_count=2, spawn_rate=2, rate=4000
            )
        finally:
            ui.terminate()
        assert ui.wait(30) == 0


def test_a_fast_run_loses_nothing_on_gateways_of_its_own(tmp_path: Path) -> None:
    summary = run(tmp_path, "--arch", "direct", *FAST)
    assert (summary["lost"], summary["disconnects"], summary["refused"]) == (0, 0, {})
    assert summary["delivered"] == summary["expected"] > 2 * 2 * 1_000  # more than the usual budget lets through


def test_gateways_that_plain_locust_starts_take_any_load() -> None:
    assert_all_delivered(locust("--arch", "direct", "-u", "2", "-r", "2", "--rate", "4000"))
