import csv
from pathlib import Path
from typing import Any

import msgspec

from architectures.plan1 import Plan1
from harness.core.settings import RunSettings
from harness.ipc.messages import Second
from harness.measure.cpu_series import CpuOfSecond
from harness.runs.record import Record, read_summary
from harness.runs.summary import Summary

# The contract: scripts of other people read these.
KEYS = {
    *("arch", "scenario", "status", "duration_s", "members", "rooms", "gateways", "sent", "acked", "expected"),
    *("delivered", "lost", "lost_acked", "duplicated", "reordered", "latency_ms", "ack_ms", "deliveries_per_s"),
    *("cpu_us_per_delivery", "kafka", "redis", "promises", "driver"),
    *("spread_ms", "wasted_deliveries_per_message", "not_sent"),
}
SUMMARY = Summary(arch="plan1", scenario="big_room", status="incomplete", members=2, gateways=2)
TICK = Second(
    phase="measure",
    second=0,
    said=2,
    acked=2,
    delivered=4,
    latency_p50_ms=1.5,
    latency_p90_ms=2.0,
    latency_p99_ms=2.5,
    latency_max_ms=3.0,
    driver_cpu_ms=80.5,
)
CPU = CpuOfSecond(gateway_cpu_ms=30.25, kafka_cpu_ms=50.0, kafka_compiler_cpu_ms=20.0, each_gateway_cpu_ms="20.25 10.0")


def new_record(out: Path) -> Record:
    return Record(out, RunSettings(arch="plan1"), "big_room", Plan1)


def test_the_summary_has_the_keys_of_the_contract_from_the_first_moment(tmp_path: Path) -> None:
    record = new_record(tmp_path)
    record.write_summary(SUMMARY)
    written = msgspec.json.decode((record.folder / "summary.json").read_bytes())
    assert set(written) >= KEYS
    assert set(written["latency_ms"]) == set(written["ack_ms"]) == {"p50", "p90", "p99", "p999", "max"}
    assert set(written["spread_ms"]) == {"p50", "p99", "max"}
    assert set(written["cpu_us_per_delivery"]) == {"gateway", "kafka", "redis", "nats", "driver"}
    assert set(written["driver"]) == {"valid", "why"}


def test_what_was_not_measured_is_null_and_not_zero(tmp_path: Path) -> None:
    record = new_record(tmp_path)
    record.write_summary(SUMMARY)
    assert read_summary(record.folder) == SUMMARY
    written = msgspec.json.decode((record.folder / "summary.json").read_bytes())
    assert written["lost"] is None
    assert written["latency_ms"]["p99"] is None
    assert written["driver"]["valid"] is None


def test_the_manifest_says_what_ran_where_and_how(tmp_path: Path) -> None:
    manifest = msgspec.json.decode((new_record(tmp_path).folder / "manifest.json").read_bytes())
    assert manifest["settings"]["seed"] == 1
    assert manifest["versions"]["kafka"] == "4.4.0"
    assert manifest["versions"]["locust"]
    assert manifest["host"]["cores"] >= 1
    assert "discarded" in manifest["method"]["warmup"]


def test_a_second_is_on_disk_as_soon_as_it_is_known(tmp_path: Path) -> None:
    record = new_record(tmp_path)
    record.add_second(TICK, CPU)
    with record.timeseries.open(newline="") as lines:
        rows = list(csv.DictReader(lines))
    assert rows == [
        {
            "phase": "measure",
            "second": "0",
            "said": "2",
            "acked": "2",
            "delivered": "4",
            "latency_p50_ms": "1.5",
            "latency_p90_ms": "2.0",
            "latency_p99_ms": "2.5",
            "latency_max_ms": "3.0",
            "gateway_cpu_ms": "30.25",
            "kafka_cpu_ms": "50.0",
            "redis_cpu_ms": "",
            "nats_cpu_ms": "",
            "kafka_compiler_cpu_ms": "20.0",
            "kafka_collector_cpu_ms": "",
            "each_gateway_cpu_ms": "20.25 10.0",
            "driver_cpu_ms": "80.5",
        }
    ]


def test_two_records_of_the_same_second_do_not_meet(tmp_path: Path) -> None:
    folders = {new_record(tmp_path).folder for _ in range(5)}
    assert len(folders) == 5


def test_no_hidden_file_is_left_behind(tmp_path: Path) -> None:
    record = new_record(tmp_path)
    record.write_summary(SUMMARY)
    record.close()
    assert not list(record.folder.glob(".*"))


def test_what_an_ack_means_is_in_the_record(tmp_path: Path) -> None:
    manifest = msgspec.json.decode((new_record(tmp_path).folder / "manifest.json").read_bytes())
    assert manifest["architecture"] == {
        "summary": Plan1.summary,
        "options": {"acks": "all", "replicas": 3, "dedup": 0},
        "kafka_producer": {"acks": "all", "enable.idempotence": True},
        "kafka_topics": {"replication.factor": 1, "min.insync.replicas": 1},
    }


def test_how_many_brokers_keep_a_record_can_be_said(tmp_path: Path) -> None:
    for replicas, in_sync_min in ((1, 1), (2, 1), (3, 2)):
        settings = RunSettings(arch="plan1", brokers=3, arch_options=(f"replicas={replicas}",), out=str(tmp_path))
        with_so_many = Record(tmp_path, settings, "big_room", Plan1)
        manifest = msgspec.json.decode((with_so_many.folder / "manifest.json").read_bytes())
        assert manifest["architecture"]["kafka_topics"] == {
            "replication.factor": replicas,
            "min.insync.replicas": in_sync_min,
        }


def manifest_of(out: Path, **settings: Any) -> dict[str, Any]:
    record = Record(out, RunSettings(arch="plan1", **settings), "big_room", Plan1)
    manifest: dict[str, Any] = msgspec.json.decode((record.folder / "manifest.json").read_bytes())
    return manifest


def test_a_run_that_started_everything_says_one_host_and_one_clock(tmp_path: Path) -> None:
    manifest = manifest_of(tmp_path)
    assert manifest["method"]["hosts"].startswith("all processes share one host")
    assert manifest["method"]["latency"].endswith("one clock")


def test_what_others_started_is_not_claimed_to_share_the_host_or_the_clock(tmp_path: Path) -> None:
    workers = manifest_of(tmp_path, expect_workers=2, kafka_bootstrap="192.168.1.5:9092")
    assert workers["method"]["hosts"] == (
        "started by others, perhaps on other hosts: Kafka at 192.168.1.5:9092; 2 Locust workers"
    )
    assert "one clock" not in workers["method"]["latency"]
    assert "latency_error_ms" in workers["method"]["latency"]
    assert "kafka" not in workers["versions"], "the version of somebody else's brokers is not known"
    gateways = manifest_of(tmp_path, gateways_at=("ws://192.168.1.20:9001",))
    assert "the gateways at ws://192.168.1.20:9001 and what they use" in gateways["method"]["hosts"]
    assert gateways["method"]["latency"].endswith("one clock"), "all members are of one process"
