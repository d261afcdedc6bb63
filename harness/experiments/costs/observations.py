"""Measured runs as the points that unit costs are fitted to and validated with."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from harness.core.errors import UsageError
from harness.experiments.costs.model import workload_of
from harness.experiments.costs.workload import has_unit_costs
from harness.results.frames import read_records, runs_of


def read_points(folders: Sequence[Path]) -> pd.DataFrame:
    """One row for each complete run without losses, of an architecture that uses no backends but Kafka and Redis.

    Columns: those of Frames.runs, and what each part of the system used per second. Raises UsageError without rows.
    """
    runs = runs_of(read_records(folders))
    measured = runs["cores_gateway"].notna() & runs["frames_per_write"].notna()
    runs = runs[(runs["status"] == "complete") & (runs["lost"] == 0) & runs["arch"].map(has_unit_costs) & measured]
    if runs.empty:
        names = ", ".join(str(folder) for folder in folders)
        raise UsageError(
            f"no run in {names} has measured the cost of gateways and brokers; make some with: chatbench costs"
        )
    messages, deliveries, payload = runs["publishes_per_s"], runs["deliveries_per_s"], runs["payload_bytes"]
    records = runs["kafka_records_per_message"]
    spread = runs.apply(lambda run: workload_of(run).spread, axis=1)
    return runs.assign(
        gateway_us_per_s=1e6 * runs["cores_gateway"],
        kafka_us_per_s=1e6 * runs["cores_kafka"],
        redis_us_per_s=1e6 * runs["cores_redis"],
        gateway_bytes=runs["rss_gateway_bytes"],
        kafka_bytes=runs["rss_kafka_bytes"],
        redis_bytes=runs["rss_redis_bytes"],
        room_rate_per_s=messages / runs["rooms"],
        records_per_request=records / runs["kafka_produce_requests_per_message"],
        producer_records_per_s=messages * records / runs["gateways"],
        member_overhead_bytes_per_s=deliveries * (runs["bytes_to_members"] / runs["delivered"] - payload),
        record_overhead_bytes_per_s=messages * (runs["kafka_bytes_in_per_message"] - records * payload),
        command_overhead_bytes_per_s=messages * (runs["redis_bytes_in_per_message"] - payload),
        copy_overhead_bytes_per_s=messages * (runs["redis_bytes_out_per_message"] - spread * payload),
    )
