"""A scenario with several classes: the rate is that of all members, and the record has figures for each class."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any

import pytest

from harness.core.payload import BABBLE_BYTES
from tests.real.runs import run

RATE, SECONDS, SEED, PAYLOAD_BYTES = 40, 3, 1, 100

HOSTS_VIEWERS_AND_LURKERS = """
import time

from locust import task

from chatbench.locust import Member


class Lurker(Member):
    weight = 3

    def on_start(self):
        self.join("stage")

    def rate_per_s(self):
        return 0.0

    @task
    def listen(self):
        time.sleep(0.2)


class Host(Member):
    fixed_count = 4

    def on_start(self):
        self.join("stage")

    def rate_per_s(self):
        return self.rate_of_few(one_in=2)

    @task
    def talk(self):
        self.say(self.text())


class Viewer(Member):
    kinds = ("chat", "reaction")

    def on_start(self):
        self.join("stage")

    @task
    def talk(self):
        kind = "reaction" if self.random.random() < 0.5 else "chat"
        self.say(self.text(), kind=kind)
"""


@pytest.fixture
def scenario(tmp_path: Path) -> Path:
    file = tmp_path / "evening.py"
    file.write_text(HOSTS_VIEWERS_AND_LURKERS)
    return file


def turns(number: int, rate_per_s: float, *, chooses_kind: bool) -> int:
    """How often that member's schedule has it speak: the same draws as its own, in the same order."""
    random, end_ns = Random(f"{SEED}/{number}/0"), SECONDS * 10**9

    def make_text() -> None:
        if chooses_kind:
            random.random()
        random.randrange(BABBLE_BYTES - PAYLOAD_BYTES)

    def next_ns(due_ns: int) -> int:
        due_ns += round(random.expovariate(rate_per_s) * 1e9)
        if due_ns < end_ns:
            random.random()  # how active it is just then
        return due_ns

    make_text()
    said, due_ns = 0, next_ns(0)
    while due_ns < end_ns:
        said, due_ns = said + 1, next_ns(due_ns)
        make_text()
    return said


@pytest.mark.parametrize("processes", [1, 2])
def test_what_is_sent_is_what_the_schedule_of_the_rate_says(scenario: Path, tmp_path: Path, processes: int) -> None:
    load = ["--members", "20", "--rate", str(RATE), "--warmup", "0s", "--duration", f"{SECONDS}s", "--seed", str(SEED)]
    summary = run(
        tmp_path / "out", "--arch", "direct", "--scenario", str(scenario), *load, "--processes", str(processes)
    )
    classes: dict[str, dict[str, Any]] = {each["name"]: each for each in summary["classes"]}
    # Hosts are 4 of 20, whatever the weights; of the rest three quarters only listen. Two of the hosts talk, for all.
    assert {name: each["members"] for name, each in classes.items()} == {"Host": 4, "Lurker": 12, "Viewer": 4}
    assert {name: each["rate_per_s"] for name, each in classes.items()} == {"Host": 20, "Lurker": 0, "Viewer": 20}
    due = {
        "Host": sum(turns(number, RATE / 4, chooses_kind=False) for number in (0, 1)),
        "Lurker": 0,
        "Viewer": sum(turns(number, RATE / 8, chooses_kind=True) for number in (16, 17, 18, 19)),
    }
    assert {name: each["sent"] + each["not_sent"] for name, each in classes.items()} == due
    assert summary["sent"] + summary["not_sent"] == sum(due.values())
    kinds = [kind for each in classes.values() for kind in each["kinds"]]
    for figure in ("sent", "acked", "expected", "delivered", "lost"):
        assert sum(kind[figure] for kind in kinds) == summary[figure]
    assert [kind["name"] for kind in classes["Viewer"]["kinds"]] == ["chat", "reaction"]
    assert all(kind["expected"] == 20 * kind["sent"] for kind in kinds)
    assert all(kind["latency_ms"]["p50"] > 0 for kind in classes["Viewer"]["kinds"])


def test_a_crowd_that_changes_under_the_load_is_no_valid_driver(tmp_path: Path) -> None:
    scenario = tmp_path / "leaves.py"
    leaves = "self.say(self.text())\n        if self.index == 1:\n            self.stop(force=True)"
    scenario.write_text(HOSTS_VIEWERS_AND_LURKERS.replace("self.say(self.text())", leaves, 1))
    load = ["--members", "4", "--rate", "40"]
    summary = run(tmp_path / "out", "--arch", "direct", "--scenario", str(scenario), *load)
    assert not summary["driver"]["valid"]
    assert "0 members came and 1 went during the load" in summary["driver"]["why"]
