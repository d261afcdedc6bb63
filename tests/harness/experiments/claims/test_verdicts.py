"""The verdict that measurements give for a claim, on made-up figures in which it holds and on changes to them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pandas as pd
import pytest

from harness.core.registry import candidates
from harness.experiments.claims import verdicts as judgements
from harness.experiments.claims.catalogue import CLAIMS
from harness.experiments.claims.claim import DOES_NOT_HOLD, HOLDS, IN_PART, Finding
from harness.experiments.claims.durability import Readable
from harness.experiments.claims.evidence import Evidence, InsufficientData
from harness.report.claims import draw_panels
from tests.harness.report.chart_rules import assert_says_what_one_sees

USUAL = {
    "status": "complete",
    "round": 1,
    "sent": 100,
    "acked": 100,
    "expected": 1000,
    "delivered": 1000,
    "lost": 0,
    "duplicated": 0,
    "reordered": 0,
    "latency_p50_ms": 4.0,
    "latency_p99_ms": 10.0,
    "ack_p50_ms": 3.0,
    "cpu_system_us_per_delivery": 50.0,
    "wasted_deliveries_per_message": 0.0,
    "kafka_records_per_message": 1.0,
}
OF_REDIS = {"latency_p50_ms": 2.0, "cpu_system_us_per_delivery": 20.0, "kafka_records_per_message": None}
OF_BOTH = {"latency_p50_ms": 5.0, "cpu_system_us_per_delivery": 60.0}


def world() -> Iterator[dict[str, Any]]:
    for gateways in (1, 2, 4):
        heard = {"delivered": 1000 // gateways, "heard_least": 0.9 / gateways, "heard_most": 1.0}
        yield {"experiment": "fragments", "arch": "naive", "gateways": gateways, **heard}
    for n in (2, 4, 8):
        plan1 = {"kafka_records_per_message": n, "kafka_disk_bytes_per_message": 260.0 * n}
        yield {"experiment": "writes", "arch": f"plan1 ({n} partitions)", **plan1}
        yield {"experiment": "writes", "arch": f"plan2 ({n} partitions)", "kafka_disk_bytes_per_message": 260.0}
    for replicas in (1, 3):
        for rate_per_s in (20.0, 1000.0):
            yield {
                "experiment": "brokers",
                "arch": f"plan1 (6 partitions, 3 brokers, dedup=1, replicas={replicas})",
                "rate_per_s": rate_per_s,
                "kafka_records_per_message": 6.0,
                "kafka_produce_requests_per_message": 6.0 if rate_per_s == 20 else 0.5,
                "kafka_appends_a_broker_max": 2.0 * replicas,
            }
    for gateways in (2, 4):
        for arch, redirected in (("plan1", 0), ("plan2", 400 - 400 // gateways)):
            joined = {"joins": 400, "joins_redirected": redirected, "join_p50_ms": 2.0}
            yield {"experiment": "joins", "arch": arch, "gateways": gateways, **joined}
    for arch, lost in (("redis", 500), ("kafka-redis", 0), ("plan2", 0), ("kafka-broadcast", 0)):
        yield {"experiment": "restarts", "arch": arch, "lost": lost, "acked": 90}
    yield from rounds()


def rounds() -> Iterator[dict[str, Any]]:
    for number in (1, 2, 3):
        for variant, copies, cost in (("2 partitions", 0, 40.0), ("4 partitions", 1000, 60.0)):
            seen = {"duplicated": copies, "cpu_system_us_per_delivery": cost + number}
            yield {"experiment": "duplicates", "arch": f"plan1 ({variant})", "round": number, **seen}
        dedup = {"arch": "plan1 (4 partitions, dedup=1)", "cpu_system_us_per_delivery": 70.0 + number}
        yield {"experiment": "duplicates", "round": number, **dedup}
        for scenario, share in zip([name for name, _ in judgements.LOADS], (0.3, 0.6, 0.9, 1.0), strict=True):
            common = {"experiment": "hot", "scenario": scenario, "round": number}
            yield {**common, "arch": "plan1", "hottest_gateway_share": 0.25, "latency_p99_ms": 20.0 + number}
            yield {**common, "arch": "plan2", "hottest_gateway_share": share, "latency_p99_ms": 10.0 + number}
        for experiment in ("one_room", "small_rooms"):
            for arch in candidates():
                own = OF_REDIS if arch == "redis" else OF_BOTH if arch == "kafka-redis" else {}
                if arch in {"plan1", "kafka-broadcast"} and experiment == "small_rooms":
                    own = {"wasted_deliveries_per_message": 2.0}
                if arch == "plan1":
                    own = {**own, "kafka_records_per_message": 4.0}
                yield {"experiment": experiment, "arch": arch, "round": number, **own}


READABLE = [Readable(arch=arch, acked=100, readable=0 if arch == "redis" else 100) for arch in candidates()]


def evidence(changed: dict[str, Any] | None = None, **where: Any) -> Evidence:
    """The world, with other figures for the runs that these columns name."""
    rows = []
    for row in world():
        hit = bool(where) and all(row.get(column) == value for column, value in where.items())
        rows.append({**USUAL, **row, **((changed or {}) if hit else {})})
    return Evidence(pd.DataFrame(rows), READABLE)


def judged(identity: str, given: Evidence) -> Finding:
    (claim,) = [claim for claim in CLAIMS if claim.id == identity]
    return claim.judge(given)


@pytest.mark.parametrize(
    ("identity", "verdict"),
    [
        *(("C1", HOLDS), ("C2", IN_PART), ("C3", HOLDS), ("C4", HOLDS), ("C5", HOLDS), ("C6", IN_PART)),
        *(("C7", IN_PART), ("C8", HOLDS), ("C9", HOLDS)),
    ],
)
def test_what_is_expected_is_told_and_drawn(identity: str, verdict: str) -> None:
    finding = judged(identity, evidence())
    assert finding.verdict == verdict, finding.measured
    assert finding.picture is not None
    assert all(len(panel.values) == len(finding.picture.labels) for panel in finding.picture.panels)
    drawn = draw_panels(finding.picture, f"{identity} holds: what was claimed")
    assert len(drawn.axes) == len(finding.picture.panels)
    assert_says_what_one_sees(drawn, identity)


@pytest.mark.parametrize(
    ("identity", "verdict", "where", "changed"),
    [
        ("C1", IN_PART, {"experiment": "fragments", "gateways": 4}, {"delivered": 1000}),
        ("C2", IN_PART, {"experiment": "writes", "arch": "plan1 (4 partitions)"}, {"kafka_records_per_message": 3}),
        (
            "C3",
            IN_PART,
            {"experiment": "writes", "arch": "plan1 (8 partitions)"},
            {"kafka_disk_bytes_per_message": 520},
        ),
        ("C4", IN_PART, {"experiment": "duplicates", "arch": "plan1 (4 partitions, dedup=1)"}, {"duplicated": 1}),
        ("C5", IN_PART, {"experiment": "joins", "arch": "plan1", "gateways": 2}, {"joins_redirected": 1}),
        ("C6", HOLDS, {"scenario": "big_room", "arch": "plan2"}, {"latency_p99_ms": 90.0}),
        ("C7", DOES_NOT_HOLD, {"experiment": "one_room", "arch": "redis"}, {"latency_p50_ms": 9.0}),
        ("C7", IN_PART, {"experiment": "restarts", "arch": "redis"}, {"lost": 0}),
        ("C8", IN_PART, {"experiment": "restarts", "arch": "kafka-redis"}, {"lost": 3}),
        ("C9", IN_PART, {"experiment": "one_room", "arch": "kafka-broadcast"}, {"lost": 1}),
    ],
)
def test_another_figure_is_another_verdict(
    identity: str, verdict: str, where: dict[str, Any], changed: dict[str, Any]
) -> None:
    assert judged(identity, evidence(changed, **where)).verdict == verdict


def test_the_note_readers_question_is_answered() -> None:
    finding = judged("C2", evidence())
    assert any("as the note's reader suspected" in sentence for sentence in finding.measured)
    assert any("Records are not requests" in sentence for sentence in finding.measured)


def test_a_figure_that_is_missing_is_not_guessed() -> None:
    with pytest.raises(InsufficientData, match="no complete run of plan2 in hot"):
        judged("C6", evidence({"status": "failed"}, experiment="hot", arch="plan2"))
    with pytest.raises(InsufficientData, match="latency_p99_ms"):
        judged("C6", evidence({"latency_p99_ms": None}, scenario="big_room", arch="plan2"))
