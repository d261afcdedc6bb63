"""Records of runs with made-up figures, for tests."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import msgspec

from architectures.direct import Direct
from harness.core.registry import architecture_names, load_architecture
from harness.core.settings import RunSettings
from harness.measure.histogram import Latencies
from harness.measure.validity import DriverVerdict
from harness.runs.promises import PromiseCheck
from harness.runs.record import Record
from harness.runs.summary import CpuUsPerDelivery, SpreadMs, Summary
from harness.services.kafka.metrics import KafkaPerMessage
from harness.services.redis.metrics import RedisPerMessage
from tests.harness.runs.test_record import CPU, TICK

DURABLE = PromiseCheck("durable ack: an acked message survives the restart of the backend", None, "not tested")


def write_record(
    out: Path,
    arch: str = "plan1",
    *,
    cost_us: float = 20.0,
    rate_per_s: float = 20.0,
    settings: Mapping[str, Any] = MappingProxyType({}),
    **given: Any,
) -> Path:
    """A complete run of 100 messages to 10 members; latency in ms is `cost_us` / 4 and around."""
    out.mkdir(exist_ok=True)
    uses_kafka = arch != "redis"
    record = Record(
        out,
        RunSettings(arch=arch, rate_per_s=rate_per_s, **settings),
        "big_room",
        load_architecture(arch) if arch in architecture_names() else Direct,
    )
    for second in range(2):
        record.add_second(msgspec.structs.replace(TICK, phase="warm-up", second=second, latency_p99_ms=90.0), CPU)
    for second in range(5):
        record.add_second(msgspec.structs.replace(TICK, second=second), CPU)
    latencies = Latencies()
    latencies.record_ns([round(cost_us / 4 * 1e6 * (1 + n / 1000)) for n in range(1000)])
    record.write_text("latency.hdr", latencies.encode().decode())
    summary = Summary(
        arch=arch,
        scenario="big_room",
        status="complete",
        duration_s=5.0,
        members=10,
        rooms=1,
        gateways=2,
        sent=100,
        not_sent=0,
        acked=100,
        expected=1000,
        delivered=1000,
        lost=0,
        lost_acked=0,
        duplicated=0,
        reordered=0,
        neither=0,
        latency_ms=latencies.summary(),
        ack_ms=latencies.summary(),
        spread_ms=SpreadMs(1.0, 2.0, 3.0),
        publishes_per_s=rate_per_s,
        deliveries_per_s=10 * rate_per_s,
        wasted_deliveries_per_message=0.0,
        cpu_us_per_delivery=CpuUsPerDelivery(
            gateway=cost_us / 2,
            kafka=cost_us / 2 if uses_kafka else None,
            redis=None if uses_kafka else cost_us / 2,
            driver=10.0,
        ),
        kafka=KafkaPerMessage(2.0, 2.0, 500, 500, 540) if uses_kafka else None,
        redis=None if uses_kafka else RedisPerMessage(1.0),
        promises=[DURABLE] if uses_kafka else [],
        driver=DriverVerdict(valid=True, why=None),
    )
    record.write_summary(msgspec.structs.replace(summary, **given))
    return record.folder
