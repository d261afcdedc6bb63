"""Measured runs as the points that unit costs are fitted to and validated with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from harness.core.errors import UsageError
from harness.experiments.costs.model import workload_of
from harness.experiments.costs.workload import has_unit_costs, records_of_a_producer_per_s
from harness.gateway.adaptive_tick import TICK_MIN_S
from harness.results.frames import RunRecord, read_records, runs_of

PARTS = ("gateway", "kafka", "redis")


def read_points(folders: Sequence[Path]) -> pd.DataFrame:
    """The points of the records in these folders. Raises UsageError without rows."""
    points = points_of(read_records(folders))
    if points.empty:
        names = ", ".join(str(folder) for folder in folders)
        raise UsageError(
            f"no run in {names} has measured the cost of gateways and brokers; make some with: chatbench costs"
        )
    return points


def points_of(records: Sequence[RunRecord]) -> pd.DataFrame:
    """One row for each complete run without losses, of an architecture that uses no backends but Kafka and Redis.

    Columns: those of Frames.runs, where `arch` is without any variant, the variant in `tick_s` and `replicas`, and what
    each part of the system used per second, under load and idle (NaN: not measured). The CPU time of Kafka is without
    that of its JVM's compiler where that is known, because brokers that have run for long hardly compile.
    """
    runs = runs_of(records)
    runs = runs.assign(
        arch=[record.summary.arch for record in records],
        tick_s=[record.manifest.settings.tick_s or TICK_MIN_S for record in records],
        replicas=runs["kafka_replicas"].fillna(1).astype(int),
        host_cores=pd.Series([record.manifest.host.get("cores") for record in records], dtype="float64"),
        **{f"idle_{part}_us_per_s": [_idle_us_per_s(record, part) for record in records] for part in PARTS},
    )
    measured = runs["cores_gateway"].notna() & runs["frames_per_write"].notna()
    runs = runs[(runs["status"] == "complete") & (runs["lost"] == 0) & runs["arch"].map(has_unit_costs) & measured]
    if runs.empty:
        return runs
    messages, deliveries, payload = runs["publishes_per_s"], runs["deliveries_per_s"], runs["payload_bytes"]
    kafka_records = runs["kafka_records_per_message"]
    spread = runs.apply(lambda run: workload_of(run).spread, axis=1)
    return runs.assign(
        gateway_us_per_s=1e6 * runs["cores_gateway"],
        kafka_us_per_s=1e6 * runs["cores_kafka"] - 1e3 * runs["compiler_ms_per_s"].fillna(0.0),
        redis_us_per_s=1e6 * runs["cores_redis"],
        gateway_bytes=runs["rss_gateway_bytes"],
        kafka_bytes=runs["rss_kafka_bytes"],
        redis_bytes=runs["rss_redis_bytes"],
        room_rate_per_s=messages / runs["rooms"],
        records_per_request=kafka_records / _column(runs, "kafka_produce_requests_per_message"),
        producer_records_per_s=runs.apply(
            lambda run: records_of_a_producer_per_s(run["arch"], workload_of(run)), axis=1
        ),
        member_overhead_bytes_per_s=deliveries * (runs["bytes_to_members"] / runs["delivered"] - payload),
        record_overhead_bytes_per_s=messages * (_column(runs, "kafka_bytes_in_per_message") - kafka_records * payload),
        command_overhead_bytes_per_s=messages * (_column(runs, "redis_bytes_in_per_message") - payload),
        copy_overhead_bytes_per_s=messages * (_column(runs, "redis_bytes_out_per_message") - spread * payload),
    )


def _column(runs: pd.DataFrame, name: str) -> pd.Series[float]:
    """The column, or nothing measured where no run used that backend."""
    return runs[name] if name in runs else pd.Series(float("nan"), index=runs.index)


def _idle_us_per_s(record: RunRecord, part: str) -> float:
    """The CPU time of that part while nobody wrote, without that of Kafka's compiler. NaN: not measured."""
    idle: Mapping[str, float] = record.summary.idle_cpu_ms_per_s or {}
    compiler_ms_per_s = record.summary.idle_compiler_ms_per_s if part == "kafka" else None
    return 1e3 * (idle.get(part, float("nan")) - (compiler_ms_per_s or 0.0))
