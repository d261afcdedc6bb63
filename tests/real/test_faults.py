"""Components of real runs are killed, paused and cut off, and the record has what the members saw."""

from __future__ import annotations

import csv
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import psutil
import pytest

from harness.core.faults import parse_fault
from tests.command_line import command, refusal
from tests.real.runs import CHATBENCH, PATIENCE_S, chatbench, run, run_with_page

# 100 messages a second in ten rooms: enough to say what was normal before, and whether it is so again.
LOAD = ["--scenario", "many_rooms", "--rooms", "10", "--members", "50", "--rate", "100", "--warmup", "1s"]


def under(out: Path, arch: str, fault: str, duration: str, *more: str) -> dict[str, Any]:
    summary = run(out, "--arch", arch, "--fault", fault, "--duration", duration, *LOAD, *more)
    assert [seen["fault"] for seen in summary["faults"]] == [parse_fault(fault, 3600).kind]
    assert summary["status"] == "complete"
    return summary


def lost_acked(summary: dict[str, Any]) -> int:
    return int(summary["lost_acked"] - summary["lost_in_break"])


def told(summary: dict[str, Any], promise: str) -> bool | None:
    (check,) = [check for check in summary["promises"] if check["promise"].startswith(promise)]
    held: bool | None = check["held"]
    return held


def test_members_of_a_killed_gateway_come_back_elsewhere_and_hear_on(tmp_path: Path) -> None:
    summary = under(tmp_path, "redis", "kill:gateway@3s", "15s")
    assert command("report", summary["folder"]).exit_code == 0
    assert summary["disconnects"] == 25
    assert summary["away_at_end"] == 0
    assert summary["away_ms"]["max"] > 0
    assert lost_acked(summary) == summary["duplicated"] == summary["reordered"] == 0
    assert told(summary, "survives kill:gateway:") is True
    assert summary["faults"][0]["first_delivery_ms"] is not None
    assert summary["cpu_us_per_delivery"]["gateway"] is None, "the CPU time of a dead process is not known"
    assert "kill:gateway" in (summary["folder"] / "report.html").read_text()
    with (summary["folder"] / "frames" / "faults.csv").open(newline="") as lines:
        assert [row["fault"] for row in csv.DictReader(lines)] == ["kill:gateway"]


def test_plan2_moves_the_rooms_of_a_killed_gateway(tmp_path: Path) -> None:
    summary = under(tmp_path, "plan2", "kill:gateway@3s", "24s")
    assert summary["away_at_end"] == 0
    assert lost_acked(summary) == 0
    assert told(summary, "survives kill:gateway:") is True
    assert summary["faults"][0]["first_delivery_ms"] > 1000, "its rooms are silent until the group misses it"


def test_redis_loses_what_is_said_while_it_is_away_and_nobody_is_told_it_was_taken(tmp_path: Path) -> None:
    summary = under(tmp_path, "redis", "restart:redis:1s@3s", "9s")
    assert summary["refused"]["not_accepted"] > 0
    assert summary["lost"] > 0
    assert told(summary, "everyone") is None, "not promised under this fault"
    assert summary["ended"] == []


def test_kafka_redis_loses_nothing_when_redis_is_restarted(tmp_path: Path) -> None:
    summary = under(tmp_path, "kafka-redis", "restart:redis:1s@3s", "12s")
    assert (summary["lost"], summary["duplicated"], summary["reordered"]) == (0, 0, 0)
    assert told(summary, "durable ack") is True
    assert told(summary, "survives restart:redis:") is True


@pytest.mark.parametrize(("arch", "fault"), [("redis", "cut:gateway-redis:2s"), ("plan1", "cut:gateway-broker:2s")])
def test_across_a_cut_everything_waits_and_arrives(tmp_path: Path, arch: str, fault: str) -> None:
    summary = under(tmp_path, arch, f"{fault}@3s", "10s")
    assert (summary["lost"], summary["duplicated"], summary["reordered"]) == (0, 0, 0)
    assert summary["latency_ms"]["max"] > 1000
    assert summary["faults"][0]["first_delivery_ms"] > 1000
    assert summary["faults"][0]["ended_s"] - summary["faults"][0]["began_s"] > 1.9


def test_a_paused_gateway_keeps_its_members_waiting_and_loses_nothing(tmp_path: Path) -> None:
    summary = under(tmp_path, "plan1", "pause:gateway:2s@3s", "10s")
    assert (summary["lost"], summary["disconnects"]) == (0, 0)
    assert told(summary, "survives pause:gateway:") is True
    assert summary["latency_ms"]["max"] > 1000


def test_what_waits_in_a_gateway_that_stands_still_across_the_end_is_waited_for(tmp_path: Path) -> None:
    asked = ["run", "--json", "--no-report", "--arch", "redis", *LOAD, "--duration", "4s", "--out", str(tmp_path)]
    with subprocess.Popen([*CHATBENCH, *asked], stdout=subprocess.PIPE, text=True) as running:
        until(lambda: any(series.read_text().count("measure") >= 2 for series in tmp_path.glob("*/timeseries.csv")))
        gateway = next(
            child for child in psutil.Process(running.pid).children() if "harness.gateway" in " ".join(child.cmdline())
        )
        gateway.suspend()
        time.sleep(4.5)
        gateway.resume()
        summary = msgspec.json.decode(running.communicate(timeout=PATIENCE_S)[0])
    assert summary["latency_ms"]["max"] > 4000
    assert (summary["lost"], summary["not_drained"]) == (0, 0)
    assert summary["delivered"] == summary["expected"]


def until(reached: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not reached():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_three_brokers_survive_the_loss_of_one(tmp_path: Path) -> None:
    summary = under(tmp_path, "plan1", "kill:broker@3s", "24s", "--brokers", "3")
    assert (summary["lost"], summary["duplicated"], summary["reordered"]) == (0, 0, 0)
    assert told(summary, "survives kill:broker:") is True
    assert summary["kafka"]["records_per_message"] is None, "what a dead broker had counted is not known"


def test_slow_members_disturb_nobody_else(tmp_path: Path) -> None:
    summary = under(tmp_path, "direct", "slow:members:2s@2s", "7s")
    assert (summary["lost_acked"], summary["duplicated"]) == (0, 0)
    assert told(summary, "everyone") is None


def test_several_faults_come_in_one_run(tmp_path: Path) -> None:
    faults = ["--fault", "pause:redis:500ms@2s", "--fault", "restart:gateway:500ms@4s"]
    summary = run(tmp_path, "--arch", "redis", *faults, *LOAD, "--duration", "17s")
    assert [seen["fault"] for seen in summary["faults"]] == ["pause:redis", "restart:gateway"]
    assert summary["away_at_end"] == 0


def test_the_matrix_sets_promises_beside_what_was_seen(tmp_path: Path) -> None:
    cells = ["--arch", "redis", "--arch", "direct", "--fault", "pause:redis:1s", "--fault", "slow:members:1s"]
    answer = chatbench("faults", *cells, *LOAD, "--duration", "6s", "--out", str(tmp_path), "--json")
    assert answer.returncode == 0, answer.stderr
    (folder,) = tmp_path.iterdir()
    found = msgspec.json.decode((folder / "faults.json").read_bytes())
    assert [(cell["arch"], cell["fault"], cell["promised"]) for cell in found["cells"]] == [
        ("redis", "pause:redis", True),
        ("redis", "slow:members", True),
        ("direct", "slow:members", False),
    ]
    assert found["cells"][0]["lost_acked"] == 0
    assert "| redis | pause:redis | yes |" in (folder / "faults.md").read_text()
    assert (folder / "charts" / "pause_redis.png").exists()
    assert msgspec.json.decode(answer.stdout) == found
    assert "run 3 of 3" in answer.stderr


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--arch", "redis", "--fault", "kill:broker"], "redis has no broker"),
        (["--arch", "plan1", "--fault", "kill:broker"], "use --brokers 3, or restart:broker"),
        (["--arch", "plan1", "--fault", "kil:broker"], "must be one of kill:gateway"),
        (["--arch", "plan1", "--fault", "pause:gateway:40s"], "would not be over"),
        (["--arch", "plan1", "--fault", "kill:gateway", "--duration", "12s"], "use --duration 16s"),
        (
            ["--arch", "redis", "--fault", "restart:redis:3s@4s", "--fault", "restart:redis@5s"],
            "let it begin after 7 s",
        ),
        (["--arch", "plan1", "--arch-set", "acks=2"], "must be one of all, 1, 0"),
        (["--arch", "plan1", "--arch-set", "ack=1"], "did you mean 'acks'?"),
        (["--arch", "redis", "--arch-set", "acks=1"], "it has no options"),
    ],
)
def test_what_cannot_be_broken_is_told_before_anything_starts(tmp_path: Path, arguments: list[str], says: str) -> None:
    assert says in refusal("run", *arguments, "--out", tmp_path / "out")
    assert not list((tmp_path / "out").glob("*/summary.json"))


def test_the_price_of_a_weaker_ack_can_be_measured_and_is_a_variant_of_its_own(tmp_path: Path) -> None:
    summary = run_with_page(tmp_path, "--arch", "plan1", "--members", "10", "--arch-set", "acks=1")
    manifest = msgspec.json.decode((summary["folder"] / "manifest.json").read_bytes())
    assert manifest["architecture"]["kafka_producer"] == {"acks": "1", "enable.idempotence": False}
    assert summary["lost"] == 0
    assert "plan1 (acks=1)" in (summary["folder"] / "report.html").read_text()
