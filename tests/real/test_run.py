"""Whole runs on a real Kafka."""

from __future__ import annotations

import csv
import itertools
from pathlib import Path

import matplotlib.image
import msgspec
import pytest

import chatbench as public
from tests.real.runs import chatbench, run, run_with_page

pytestmark = pytest.mark.usefixtures("standing")


def test_plan1_delivers_everything_once_in_order_with_a_record_per_partition(tmp_path: Path) -> None:
    summary = run_with_page(tmp_path, "--arch", "plan1", "--members", "60")
    assert summary["status"] == "complete"
    assert summary["sent"] == summary["acked"] > 0
    assert summary["expected"] == summary["delivered"] == 60 * summary["sent"]
    assert (summary["lost"], summary["duplicated"], summary["reordered"], summary["strays"]) == (0, 0, 0, 0)
    assert summary["kafka"]["records_per_message"] == 2
    assert summary["kafka"]["disk_bytes_per_message"] > 2 * 100
    assert 0 < summary["kafka"]["produce_requests_per_message"] <= 2
    assert summary["latency_ms"]["p50"] <= summary["latency_ms"]["p99"] <= summary["latency_ms"]["max"]
    cpu = summary["cpu_us_per_delivery"]
    assert cpu["redis"] is None
    assert min(cpu["gateway"], cpu["kafka"], cpu["driver"]) > 0
    assert all(promise["held"] is not False for promise in summary["promises"])

    folder = summary["folder"]
    files = {path.name for path in folder.iterdir()}
    assert files >= {"summary.json", "timeseries.csv", "latency.hgrm", "locust_stats.csv", "manifest.json", "charts"}
    picture = matplotlib.image.imread(folder / "charts" / "latency_over_time.png")
    assert picture.shape[1] > 900
    assert 0 < summary["latency_from_sending_ms"]["p50"] <= summary["latency_ms"]["p50"]
    assert 1 <= summary["independent_messages"] <= summary["sent"]
    messages = public.read_messages(folder)
    assert len(messages) == summary["sent"]
    assert messages["room"].nunique() == 1
    assert (messages["heard_by"] == 60).all()
    assert messages["intended_ns"].between(0, 1e9 * summary["duration_s"]).all()
    for earlier, later in itertools.pairwise(["intended_ns", "sent_ns", "first_heard_ns", "last_heard_ns"]):
        assert (messages[earlier] <= messages[later]).all()
    assert (messages["acked_ns"] > messages["sent_ns"]).all()
    last_ms = (messages["last_heard_ns"] - messages["intended_ns"]).max() / 1e6
    assert last_ms == pytest.approx(summary["latency_ms"]["max"], rel=0.002)
    with (folder / "timeseries.csv").open(newline="") as lines:
        rows = list(csv.DictReader(lines))
    measured = [row for row in rows if row["phase"] == "measure"]
    assert sum(int(row["delivered"]) for row in measured) == summary["delivered"]
    assert {row["phase"] for row in rows} == {"warm-up", "measure"}
    by_second_ms = sum(float(row["kafka_cpu_ms"]) for row in measured if row["kafka_cpu_ms"])
    assert by_second_ms == pytest.approx(sum(summary["kafka_cpu"].values()), rel=0.1)
    assert by_second_ms == pytest.approx(1_000 * summary["cores_used"]["kafka"] * summary["duration_s"], rel=0.1)
    assert summary["kafka_cpu"]["compiler_ms"] > 0, "a broker that has just started still compiles"
    assert all(len(row["each_gateway_cpu_ms"].split()) in {0, 2} for row in measured)
    assert 0 <= summary["loop_lag_ms"]["p50"] <= summary["loop_lag_ms"]["p99"]
    with (folder / "locust_stats.csv").open(newline="") as lines:
        locust = {row["Name"]: int(row["Request Count"]) for row in csv.DictReader(lines)}
    assert locust["deliver"] == summary["delivered"]
    assert locust["say->ack"] == summary["acked"]
    assert locust["connect"] == locust["join"] == 60


def test_a_gateway_with_two_partitions_delivers_twice_and_dedup_removes_the_copies(tmp_path: Path) -> None:
    shape = ("--arch", "plan1", "--partitions", "4", "--gateways", "2", "--members", "40")
    doubled = run(tmp_path / "doubled", *shape)
    assert doubled["lost"] == 0
    assert doubled["duplicated"] == doubled["delivered"] == 40 * doubled["sent"]
    assert doubled["kafka"]["records_per_message"] == 4
    assert [p["held"] for p in doubled["promises"] if p["promise"].startswith("once")] == [False]
    single = run(tmp_path / "single", *shape, "--dedup")
    assert (single["lost"], single["duplicated"], single["reordered"]) == (0, 0, 0)
    assert single["kafka"]["records_per_message"] == 4
    assert single["sent"] == doubled["sent"], "the same seed says the same"


def test_naive_loses_what_the_other_gateways_of_the_group_read(tmp_path: Path) -> None:
    summary = run(tmp_path, "--arch", "naive", "--gateways", "4", "--members", "80")
    assert summary["expected"] == 80 * summary["sent"]
    assert summary["lost"] == summary["lost_acked"] == pytest.approx(0.75 * summary["expected"], rel=0.01)
    assert summary["kafka"]["records_per_message"] == 1
    assert not any(promise["promise"].startswith("everyone") for promise in summary["promises"])


def test_three_brokers_replicate_every_record_three_times(tmp_path: Path) -> None:
    summary = run(tmp_path, "--arch", "plan1", "--brokers", "3", "--members", "20")
    assert (summary["lost"], summary["duplicated"], summary["reordered"]) == (0, 0, 0)
    kafka = summary["kafka"]
    assert kafka["records_per_message"] == 2
    assert kafka["disk_bytes_per_message"] == pytest.approx(3 * kafka["bytes_in_per_message"], rel=0.02)


def test_rooms_do_not_hear_each_other_and_copies_for_nobody_are_counted(tmp_path: Path) -> None:
    # Ten rooms of two members, neighbours in number, so each room is on two of the four gateways.
    shape = ("--scenario", "many_rooms", "--members", "20", "--rooms", "10", "--gateways", "4")
    summary = run(tmp_path, "--arch", "plan1", *shape)
    assert summary["rooms"] == 10
    assert summary["delivered"] == summary["expected"] == 2 * summary["sent"]
    assert summary["strays"] == 0
    assert summary["wasted_deliveries_per_message"] == 2


def test_redis_delivers_everything_once_and_only_to_gateways_with_members(tmp_path: Path) -> None:
    # As above: each room is on two of the four gateways, and Redis copies nothing to the other two.
    shape = ("--scenario", "many_rooms", "--members", "20", "--rooms", "10", "--gateways", "4")
    summary = run(tmp_path, "--arch", "redis", *shape)
    assert summary["sent"] == summary["acked"] > 0
    assert summary["delivered"] == summary["expected"] == 2 * summary["sent"]
    assert (summary["lost"], summary["duplicated"], summary["reordered"], summary["strays"]) == (0, 0, 0, 0)
    assert summary["wasted_deliveries_per_message"] == 0
    assert summary["redis"]["commands_per_message"] == 1
    assert summary["kafka"] is None
    assert summary["cpu_us_per_delivery"]["kafka"] is None


@pytest.mark.parametrize("arch", ["plan2", "kafka-redis"])
def test_one_record_a_message_reaches_every_room_and_no_gateway_without_it(tmp_path: Path, arch: str) -> None:
    # Under plan2 three of four members first ask a gateway that sends them on.
    shape = ("--scenario", "many_rooms", "--members", "40", "--rooms", "20", "--gateways", "4")
    summary = run(tmp_path, "--arch", arch, *shape)
    assert summary["sent"] == summary["acked"] > 0
    assert summary["delivered"] == summary["expected"] == 2 * summary["sent"]
    assert (summary["lost"], summary["duplicated"], summary["reordered"], summary["strays"]) == (0, 0, 0, 0)
    assert summary["kafka"]["records_per_message"] == 1
    assert summary["wasted_deliveries_per_message"] == 0
    assert (summary["redis"] is None) == (arch == "plan2")
    assert summary["disconnects"] == 0, "who was sent on left the first gateway by itself"
    with (summary["folder"] / "locust_stats.csv").open(newline="") as lines:
        locust = {row["Name"]: int(row["Request Count"]) for row in csv.DictReader(lines)}
    assert locust["connect"] == locust["join"] == 40


def test_a_scenario_that_fails_once_the_load_has_begun_leaves_its_record(tmp_path: Path) -> None:
    scenario = tmp_path / "fails.py"
    scenario.write_text(
        "from locust import task\n"
        "from chatbench.locust import Member\n"
        "class Clumsy(Member):\n"
        "    def on_start(self):\n"
        "        self.join('r')\n"
        "    @task\n"
        "    def talk(self):\n"
        "        self.say('once')\n"
        "        raise RuntimeError('no more ideas')\n"
    )
    out = tmp_path / "out"
    answer = chatbench("run", "--arch", "direct", "--scenario", str(scenario), "--members", "2", "--out", str(out))
    assert answer.returncode == 2
    assert "no more ideas" in answer.stderr
    (folder,) = out.iterdir()
    summary = msgspec.json.decode((folder / "summary.json").read_bytes())
    assert summary["status"] == "failed"
    assert "no more ideas" in summary["why"]


def test_direct_is_the_floor_without_a_broker(tmp_path: Path) -> None:
    summary = run(tmp_path, "--arch", "direct", "--members", "40", "--payload", "2000")
    assert summary["gateways"] == 1
    assert summary["kafka"] is None
    assert summary["cpu_us_per_delivery"]["kafka"] is None
    assert (summary["lost"], summary["duplicated"], summary["reordered"]) == (0, 0, 0)
    assert summary["delivered"] == 40 * summary["sent"]


@pytest.mark.parametrize("arch", ["plan1", "redis"])
def test_a_busy_room_is_written_to_once_a_tick(tmp_path: Path, arch: str) -> None:
    load = ["--members", "20", "--rate", "400"]
    summary = run(tmp_path, "--arch", arch, *load, "--tick", "50ms")
    assert (summary["lost"], summary["duplicated"], summary["reordered"]) == (0, 0, 0)
    assert summary["expected"] == summary["delivered"] > 0
    assert summary["frames_per_write"] > 5, "some 20 messages come in 50 ms"


def test_the_manifest_names_the_command_that_repeats_the_run(tmp_path: Path) -> None:
    summary = run(tmp_path, "--arch", "direct", "--members", "10", "--seed", "7")
    manifest = msgspec.json.decode((summary["folder"] / "manifest.json").read_bytes())
    assert manifest["settings"]["seed"] == 7
    assert manifest["command"][:3] == ["chatbench", "run", "--json"]


def test_a_load_beyond_the_machine_is_said_to_be_not_valid_and_exits_with_4(tmp_path: Path) -> None:
    # 50,000 messages a second: more than one Locust process can say.
    load = ["--members", "400", "--rate", "50k", "--duration", "1s", "--warmup", "0s", "--no-report"]
    rooms = ["--scenario", "many_rooms", "--rooms", "200"]
    answer = chatbench("run", "--arch", "direct", *rooms, *load, "--out", str(tmp_path))
    assert answer.returncode == 4, answer.stderr
    assert "not valid, the driver was the bottleneck" in answer.stdout
    (latency,) = [line for line in answer.stdout.splitlines() if line.startswith("delivery latency")]
    assert latency.endswith("not valid")
