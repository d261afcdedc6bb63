"""Every scenario, on a gateway without a broker: its figures show the kind of chat that it models."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pandas as pd
import pytest

from harness.core.registry import scenario_files
from harness.experiments.capacity import Search
from harness.runs.record import read_summary
from tests.command_line import refusal
from tests.real.runs import chatbench, run

BASE = ["--arch", "direct", "--members", "40", "--rate", "100", "--warmup", "0s"]
ASKS = {
    "big_room": [],
    "many_rooms": [],
    "zipf_rooms": ["--set", "exponent=1.5", "--payload-sizes", "lognormal"],
    "spike": ["--set", "goal_after_s=2", "--set", "goal_s=2", "--duration", "6s"],
    "churn": ["--set", "stay_s=1", "--set", "away_s=0.2", "--set", "storm_s=2"],
    "reconnect_storm": ["--set", "storm_s=1.5", "--set", "away_s=0.3", "--set", "within_s=0.1", "--duration", "4s"],
    "slow_members": ["--set", "slow_share=0.2", "--set", "slow_bytes_per_s=500"],
    "ramp": ["--set", "ramp_s=3", "--set", "slo_ms=1", "--duration", "20s"],
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("scenarios")


@pytest.mark.parametrize("scenario", scenario_files())
def test_it_runs_and_nothing_is_lost(scenario: str, folder: Path) -> None:
    summary = run(folder / scenario, *BASE, "--scenario", scenario, *ASKS[scenario])
    assert summary["status"] == "complete"
    assert summary["delivered"] == summary["expected"] > 0
    assert (summary["duplicated"], summary["reordered"]) == (0, 0)
    seconds = pd.read_csv(summary["folder"] / "timeseries.csv")
    locust = pd.read_csv(summary["folder"] / "locust_stats.csv").set_index("Name")["Request Count"]
    match scenario:
        case "big_room":
            assert (summary["rooms"], summary["expected"]) == (1, 40 * summary["sent"])
        case "many_rooms":
            assert (summary["rooms"], summary["expected"]) == (8, 5 * summary["sent"])
        case "zipf_rooms":
            # Evenly spread it would be 10 deliveries a message.
            assert summary["rooms"] == 4
            assert summary["expected"] > 15 * summary["sent"]
        case "spike":
            said = seconds.set_index("second")["said"]
            assert said[2:3].sum() > 5 * (said[0:1].sum() + said[4:5].sum())
            assert locust["connect"] == 40  # half of them came for the goal
        case "churn":
            assert locust["connect"] > 60
            assert summary["neither"] > 0
        case "reconnect_storm":
            assert locust["connect"] > 60
            resumed = summary["resumed"]
            # direct keeps nothing; only what is said just as somebody comes back is heard in spite of that.
            assert resumed["missed"] > 0.5 * resumed["away"] > 0
        case "slow_members":
            assert summary["neither"] > 0  # what the slow ones have not read yet
        case "ramp":
            assert summary["duration_s"] < 15  # the objective of 1 ms broke
            assert seconds["said"].iloc[1] < 60  # it did not begin with the full rate


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        (["--set", "exponents=1"], "has no option 'exponents'; did you mean 'exponent'? known: exponent"),
        (["--set", "exponent=steep"], "an option exponent, but it must be a number, not 'steep'"),
        (["--set", "exponent"], "--set is 'exponent', but it must be NAME=VALUE"),
        (["--payload-sizes", "wild"], "--payload-sizes is 'wild', but it must be one of fixed, exponential, lognormal"),
        (["--processes", "0"], "--processes is 0"),
    ],
)
def test_what_a_scenario_cannot_be_asked_is_one_sentence(asked: list[str], says: str, tmp_path: Path) -> None:
    assert says in refusal("run", *BASE, "--scenario", "zipf_rooms", "--out", tmp_path, *asked)
    assert list(tmp_path.iterdir()) == []


def test_a_capacity_is_found_with_its_chart_and_every_run(tmp_path: Path) -> None:
    # With so short a budget each has a run or two; tests/harness/experiments has the search itself.
    load = ["--members", "10", "--duration", "1s", "--warmup", "0s", "--from", "20", "--budget", "20s"]
    answer = chatbench("capacity", "--arch", "direct", "--arch", "redis", *load, "--out", str(tmp_path), "--json")
    assert answer.returncode in (0, 4), answer.stderr
    (folder,) = tmp_path.glob("*-capacity-big_room")
    assert (folder / "charts" / "capacity.png").stat().st_size > 10_000
    found = msgspec.json.decode(answer.stdout, type=Search)
    assert found == msgspec.json.decode((folder / "capacity.json").read_bytes(), type=Search)
    attempts = {each.arch: each.attempts for each in found.capacities}
    assert attempts.keys() == {"direct", "redis"}
    runs = sorted(path.parent.name for path in folder.glob("*/*/summary.json"))
    assert runs == sorted(Path(each.record).name for tried in attempts.values() for each in tried)
    assert attempts["direct"][0].rate_per_s == 20
    assert abs(len(attempts["direct"]) - len(attempts["redis"])) <= 1, "they take turns"
    again = chatbench("capacity", "--resume", str(folder))
    assert again.returncode in (0, 4), again.stderr
    assert "p99 <= 200 ms, nothing lost, all sent" in " ".join(again.stdout.split())


def test_a_capacity_over_gateways_goes_on_where_it_ended(tmp_path: Path) -> None:
    load = ["--members", "10", "--duration", "1s", "--warmup", "0s", "--from", "20", "--budget", "12s"]
    numbers = ["--over", "gateways", "--gateways", "1", "--gateways", "2"]
    answer = chatbench("capacity", "--arch", "redis", *numbers, *load, "--out", str(tmp_path), "--json")
    assert answer.returncode in (0, 4), answer.stderr
    (folder,) = tmp_path.glob("*-capacity-redis-big_room")
    assert {each.stem for each in (folder / "charts").glob("*.png")} == {
        "speedup",
        "capacity_1_gateways",
        "capacity_2_gateways",
    }
    found = msgspec.json.decode(answer.stdout, type=Search)
    for each in found.capacities:
        for attempt in each.attempts:
            assert read_summary(folder / attempt.record).gateways == each.gateways
    again = chatbench("capacity", "--resume", str(folder), "--json")
    assert again.returncode in (0, 4), again.stderr
    more = msgspec.json.decode(again.stdout, type=Search)
    assert [
        each.attempts[: len(old.attempts)] for each, old in zip(more.capacities, found.capacities, strict=True)
    ] == [old.attempts for old in found.capacities]
    assert sum(len(each.attempts) for each in more.capacities) > sum(len(each.attempts) for each in found.capacities)
