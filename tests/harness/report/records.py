"""Records of runs with made-up figures, for tests."""

from __future__ import annotations

import random
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import msgspec
import pytest

from architectures.direct import Direct
from harness.core.registry import architecture_names, load_architecture
from harness.core.settings import RunSettings
from harness.ledger.stages import Stages
from harness.measure.histogram import Latencies
from harness.measure.validity import DriverVerdict
from harness.runs.promises import PromiseCheck
from harness.runs.record import Record
from harness.runs.summary import CpuUsPerDelivery, SpreadMs, Summary
from harness.services.kafka.metrics import KafkaPerMessage
from harness.services.redis.metrics import RedisPerMessage
from tests.harness.runs.test_record import CPU, TICK

# What each architecture costs in the records of a comparison: of a delivery, in us, and of an idle second, in ms.
COSTS = {
    "kafka-broadcast": (11.0, 42.0),
    "kafka-redis": (15.4, 61.0),
    "plan1": (14.8, 45.0),
    "plan2": (11.3, 43.0),
    "redis": (9.2, 21.0),
}


def write_comparison(out: Path, *, blocks: int = 6, sent: int = 80, **given: Any) -> None:
    """A comparison of five architectures in blocks at two rates, with some noise that is the same every time."""
    out.mkdir(exist_ok=True)
    noise = random.Random(1)
    for number in range(1, blocks + 1):
        machine = noise.lognormvariate(0, 0.08)
        for arch, (marginal_us, idle_ms_per_s) in COSTS.items():
            idle = idle_ms_per_s * machine * noise.lognormvariate(0, 0.03)
            for rate_per_s in (20.0, 100.0):
                cost_us = marginal_us * machine * noise.lognormvariate(0, 0.03) + 1000 * idle / (10 * rate_per_s)
                write_record(
                    out / f"round-{number}",
                    arch,
                    cost_us=cost_us,
                    latency_ms=marginal_us / 4 * (1 + rate_per_s / 1000) * noise.lognormvariate(0, 0.05),
                    rate_per_s=rate_per_s,
                    sent=int(sent * rate_per_s / 20),
                    acked=int(sent * rate_per_s / 20),
                    idle_cpu_ms_per_s={"gateway": idle / 2, "redis" if arch == "redis" else "kafka": idle / 2},
                    slowness_ms=machine,
                    idle_slowness_ms=machine,
                    **given,
                )


def stages(total_ms: float, *backend: str) -> Stages:
    """Stages of the same length each, which add up to that time."""
    names = ("sending", "to_gateway", *backend, "waiting", "fan_out", "to_member")
    each_ms = dict.fromkeys(names, total_ms / len(names))
    return Stages(
        messages=500, typical_ms=each_ms, slow_ms=None, p50_ms=each_ms, p99_ms=None, accepting_p50_ms=total_ms
    )


COMMIT = "0123456789abcdef0123456789abcdef01234567"
DURABLE = PromiseCheck("durable ack: an acked message survives the restart of the backend", None, "not tested")


def write_record(
    out: Path,
    arch: str = "plan1",
    *,
    cost_us: float = 20.0,
    rate_per_s: float = 20.0,
    latency_ms: float | None = None,
    settings: Mapping[str, Any] = MappingProxyType({}),
    **given: Any,
) -> Path:
    """A complete run of 100 messages to 10 members; latency in ms is `cost_us` / 4 and around, if not given."""
    out.mkdir(exist_ok=True)
    uses_kafka = arch != "redis"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("harness.runs.manifest._commit", lambda: COMMIT)  # to ask git takes longer than all the rest
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
    middle_ms = cost_us / 4 if latency_ms is None else latency_ms
    latencies = Latencies()
    latencies.record_ns([round(middle_ms * 1e6 * (1 + n / 1000)) for n in range(1000)])
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
        stages=stages(middle_ms, "backend", *(["relayed"] if arch == "kafka-redis" else [])),
        promises=[DURABLE] if uses_kafka else [],
        driver=DriverVerdict(valid=True, why=None),
    )
    record.write_summary(msgspec.structs.replace(summary, **given))
    return record.folder
