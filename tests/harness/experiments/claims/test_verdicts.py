"""The verdict that measurements give for a claim, on made-up figures that support it and on changes to them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pandas as pd
import pytest

from harness.core.registry import candidates
from harness.experiments.claims import placement
from harness.experiments.claims.catalogue import CLAIMS
from harness.experiments.claims.claim import Judgement
from harness.experiments.claims.durability import Readable
from harness.experiments.claims.evidence import Evidence
from harness.experiments.claims.findings import NOT_SUPPORTED, SUPPORTED, UNDECIDED
from harness.report.claims import draw_panels
from tests.harness.report.chart_rules import assert_says_what_one_sees

USUAL = {
    "status": "complete",
    "round": 1,
    "gateways": 2,
    "scenario": "big_room",
    "sent": 100,
    "acked": 100,
    "independent_messages": 100,
    "expected": 1000,
    "delivered": 1000,
    "lost": 0,
    "lost_acked": 0,
    "duplicated": 0,
    "reordered": 0,
    "latency_p50_ms": 4.0,
    "driver_late_p50_ms": 0.5,
    "spread_p50_ms": 1.0,
    "ack_p50_ms": 3.0,
    "cpu_system_ms_per_s": 50.0,
    "hottest_gateway_cores": 0.1,
    "wasted_deliveries_per_message": 0.0,
    "kafka_records_per_message": 1.0,
}
OF_REDIS = {"latency_p50_ms": 2.0, "cpu_system_ms_per_s": 20.0, "kafka_records_per_message": None}
OF_BOTH = {"latency_p50_ms": 5.0, "cpu_system_ms_per_s": 60.0}
ROUNDS = (1, 2, 3)


def world() -> Iterator[dict[str, Any]]:
    for gateways in (1, 2, 4):
        heard = {"delivered": 1000 // gateways, "heard_least": 0.9 / gateways, "heard_most": 1.0 / gateways}
        yield {"experiment": "fragments", "arch": "naive", "gateways": gateways, **heard}
    for rate_per_s, requests in ((20.0, 6.0), (1000.0, 0.5)):
        for replicas, number in ((1, 1), (3, 1), (1, 2), (3, 2), (1, 3), (3, 3)):
            if number == 1 or rate_per_s == 1000:
                yield {
                    "experiment": "brokers",
                    "arch": f"plan1 (6 partitions, 3 brokers, dedup=1, replicas={replicas})",
                    "rate_per_s": rate_per_s,
                    "round": number,
                    "cores_kafka": 0.3 + 0.1 * replicas + 0.01 * number,
                    "kafka_produce_requests_per_message": requests,
                    "kafka_appends_a_broker_max": 2.0 * replicas,
                }
    for gateways in (2, 4):
        for arch, redirected in (("plan1", 0), ("plan2", 4000 - 4000 // gateways)):
            for number in ROUNDS if gateways == 4 else (1,):
                took = {"join_p50_ms": (2.0 if arch == "plan1" else 3.0) + 0.1 * number}
                joined = {"joins": 4000, "joins_redirected": redirected, "round": number}
                yield {"experiment": "joins", "arch": arch, "gateways": gateways, **joined, **took}
    yield {"experiment": "joins", "arch": "kafka-redis", "gateways": 4, "joins": 400, "joins_redirected": 0}
    for arch, lost in (("redis", 500), ("kafka-redis", 0), ("plan2", 0), ("kafka-broadcast", 0)):
        yield {"experiment": "restarts", "arch": arch, "lost": 1_000, "lost_acked": lost, "acked": 90}
    for scenario, share in zip(placement.LOADS, (0.3, 0.6, 0.9, 1.0), strict=True):
        common = {"experiment": "hot", "scenario": scenario, "gateways": 4}
        yield {**common, "arch": "plan1", "hottest_gateway_share": 0.25}
        yield {**common, "arch": "plan2", "hottest_gateway_share": share}
    for number in ROUNDS:
        yield from in_round(number)


def in_round(number: int) -> Iterator[dict[str, Any]]:
    for n in (2, 4, 8):
        plan1 = {"kafka_records_per_message": n, "kafka_disk_bytes_per_message": 260.0 * n + number}
        yield {"experiment": "writes", "arch": f"plan1 ({n} partitions)", "round": number, **plan1}
        plan2 = {"arch": f"plan2 ({n} partitions)", "kafka_disk_bytes_per_message": 260.0}
        yield {"experiment": "writes", "round": number, **plan2}
    for variant, copies, cost in (("2 partitions", 0, 40.0), ("4 partitions", 1000, 60.0)):
        seen = {"duplicated": copies, "cpu_system_ms_per_s": cost + number}
        yield {"experiment": "duplicates", "arch": f"plan1 ({variant})", "round": number, **seen}
    dedup = {"arch": "plan1 (4 partitions, dedup=1)", "cpu_system_ms_per_s": 70.0 + number}
    yield {"experiment": "duplicates", "round": number, **dedup}
    for arch in candidates():
        slow = {"latency_p50_ms": 20.0 + number, "spread_p50_ms": 9.0 + number} if arch == "plan2" else {}
        spread = {"latency_p50_ms": 10.0 + number, "spread_p50_ms": 4.0 + number}
        yield {"experiment": "huge_room", "arch": arch, "round": number, "gateways": 4, **spread, **slow}
    for experiment, gateways in (("one_room", 2), ("small_rooms", 4)):
        for arch in candidates():
            own = OF_REDIS if arch == "redis" else OF_BOTH if arch == "kafka-redis" else {}
            if arch in {"plan1", "kafka-broadcast"} and experiment == "small_rooms":
                own = {"wasted_deliveries_per_message": 2.0}
            if arch == "plan1":
                own = {**own, "kafka_records_per_message": 4.0}
            yield {"experiment": experiment, "arch": arch, "round": number, "gateways": gateways, **own}


READABLE = [Readable(arch=arch, acked=100, readable=0 if arch == "redis" else 100) for arch in candidates()]


def evidence(changed: dict[str, Any] | None = None, **where: Any) -> Evidence:
    """The world, with other figures for the runs that these columns name."""
    rows = []
    for row in world():
        whole = {**USUAL, **row}
        hit = bool(where) and all(whole.get(column) == value for column, value in where.items())
        rows.append({**whole, **((changed or {}) if hit else {})})
    return Evidence(pd.DataFrame(rows), READABLE)


def judged(identity: str, given: Evidence) -> Judgement:
    (claim,) = [claim for claim in CLAIMS if claim.id == identity]
    return claim.judge(given)


def answer_of(identity: str, part: str, given: Evidence) -> str:
    """The answer of the one finding that has this part in its text."""
    (finding,) = [each for each in judged(identity, given).findings if part in each.finding]
    return finding.answer


@pytest.mark.parametrize(
    ("identity", "verdict"),
    [
        *(("C1", SUPPORTED), ("C2", NOT_SUPPORTED), ("C3", SUPPORTED), ("C4", SUPPORTED), ("C5", SUPPORTED)),
        *(("C6", SUPPORTED), ("C7", NOT_SUPPORTED), ("C8", SUPPORTED), ("C9", SUPPORTED)),
    ],
)
def test_what_is_expected_is_judged_and_drawn(identity: str, verdict: str) -> None:
    found = judged(identity, evidence())
    assert found.verdict == verdict, found.findings
    assert all(finding.n for finding in found.findings)
    assert found.picture is not None
    assert all(len(panel.values) == len(found.picture.labels) for panel in found.picture.panels)
    drawn = draw_panels(found.picture, f"{identity} {verdict}: what was claimed")
    assert len(drawn.axes) == len(found.picture.panels)
    assert_says_what_one_sees(drawn, identity)


WHOLE = "no member receives the whole chat"


@pytest.mark.parametrize(
    ("identity", "part", "where", "changed"),
    [
        ("C1", "4 gateways in one group, members", {"experiment": "fragments", "gateways": 4}, {"delivered": 1000}),
        ("C1", f"4 gateways in one group, {WHOLE}", {"experiment": "fragments", "gateways": 4}, {"heard_most": 1.0}),
        ("C2", "With 4 partitions", {"arch": "plan1 (4 partitions)"}, {"kafka_records_per_message": 3}),
        ("C2", "20 msg/s, a broker receives", {"rate_per_s": 20.0}, {"kafka_produce_requests_per_message": 3}),
        ("C3", "With 8 partitions", {"arch": "plan1 (8 partitions)"}, {"kafka_disk_bytes_per_message": 520}),
        ("C4", "copies dropped", {"arch": "plan1 (4 partitions, dedup=1)"}, {"duplicated": 1}),
        ("C4", "more CPU time", {"arch": "plan1 (4 partitions, dedup=1)"}, {"cpu_system_ms_per_s": 42.0}),
        ("C5", "plan1 with 2", {"experiment": "joins", "arch": "plan1", "gateways": 2}, {"joins_redirected": 1}),
        ("C5", "takes longer", {"experiment": "joins", "arch": "plan2"}, {"join_p50_ms": 1.5}),
        ("C6", "above that of plan1", {"experiment": "huge_room", "arch": "plan2"}, {"latency_p50_ms": 5.0}),
        ("C6", "from the first to the last", {"experiment": "huge_room", "arch": "plan2"}, {"spread_p50_ms": 2.0}),
        ("C7", "latency of redis is below that of plan1, in one", {"arch": "redis"}, {"latency_p50_ms": 9.0}),
        ("C8", "loses no delivery", {"experiment": "restarts", "arch": "kafka-redis"}, {"lost_acked": 3}),
        ("C8", "redirects no join", {"experiment": "joins", "arch": "kafka-redis"}, {"joins_redirected": 3}),
        ("C8", "CPU time of kafka-redis is above that of plan2, in one", {"arch": "kafka-redis"}, OF_REDIS),
        ("C9", "once and in order, in one", {"experiment": "one_room", "arch": "kafka-broadcast"}, {"lost": 1}),
        ("C9", "latency of kafka-broadcast is not above", {"arch": "kafka-broadcast"}, {"latency_p50_ms": 9.0}),
    ],
)
def test_another_figure_is_another_answer(
    identity: str, part: str, where: dict[str, Any], changed: dict[str, Any]
) -> None:
    given = evidence(changed, **where)
    answers = {each.answer for each in judged(identity, given).findings if part in each.finding}
    assert answers == {NOT_SUPPORTED}
    assert judged(identity, given).verdict == NOT_SUPPORTED


def test_the_question_of_the_notes_reader_is_answered_by_what_replicas_cost() -> None:
    assert answer_of("C2", "Three replicas", evidence()) == NOT_SUPPORTED
    equal = evidence({"cores_kafka": 0.42}, experiment="brokers", rate_per_s=1000.0)
    assert answer_of("C2", "Three replicas", equal) == SUPPORTED


def test_a_figure_that_differs_between_rounds_decides_nothing() -> None:
    """The mean of kafka-redis is above that of plan2, but its interval includes a ratio of 1."""
    given = evidence({"latency_p50_ms": 9.0}, experiment="one_room", arch="kafka-redis", round=2)
    part = "latency of kafka-redis is above that of plan2, in one"
    assert answer_of("C8", part, given) == UNDECIDED
    assert judged("C8", given).verdict == UNDECIDED


@pytest.mark.parametrize(
    ("joined", "redirected", "answer"), [(60, 36, UNDECIDED), (2_000, 1_010, SUPPORTED), (2_000, 1_200, NOT_SUPPORTED)]
)
def test_a_share_of_few_joins_decides_nothing(joined: int, redirected: int, answer: str) -> None:
    counted = {"joins": joined, "joins_redirected": redirected}
    given = evidence(counted, experiment="joins", arch="plan2", gateways=2)
    assert answer_of("C5", "plan2 with 2", given) == answer


def test_a_figure_that_is_missing_is_not_guessed() -> None:
    found = judged("C6", evidence({"status": "failed"}, experiment="huge_room", arch="plan2"))
    assert found.verdict == UNDECIDED
    assert "huge_room has no complete run of plan2" in found.findings[-1].measured
    assert found.findings[-1].n is None
    found = judged("C6", evidence({"latency_p50_ms": None}, experiment="huge_room", arch="plan2"))
    assert "was not measured, or its driver was not valid" in found.findings[3].measured


def test_one_round_decides_no_contrast() -> None:
    given = evidence()
    one = Evidence(given.runs[given.runs["round"] == 1], given.readable)
    assert judged("C3", one).verdict == UNDECIDED
    assert judged("C3", one).findings[0].measured == "not measured: one round gives no interval"


def test_a_median_of_too_few_messages_is_not_compared() -> None:
    few = evidence({"independent_messages": 5}, experiment="huge_room")
    assert "n/a: 15 messages, 20 needed" in judged("C6", few).findings[3].measured


def test_a_median_is_not_compared_where_the_driver_was_late() -> None:
    late = evidence({"driver_late_p50_ms": 8.0}, experiment="huge_room", arch="plan1")
    answers = {each.finding: each.measured for each in judged("C6", late).findings}
    (measured,) = (answers[finding] for finding in answers if "latency is above that of plan1" in finding)
    assert "with plan1 in huge_room, the driver was late by 8.0 ms" in measured


def test_bars_agree_with_the_ratios_beside_them() -> None:
    """Also where another architecture was measured in fewer rounds."""
    given = evidence()
    few = (given.runs["arch"] == "plan1 (4 partitions)") & (given.runs["round"] > 1)
    found = judged("C4", Evidence(given.runs[~few], given.readable))
    assert found.picture is not None
    one, two, dropped = found.picture.panels[1].values
    assert one is not None
    assert two is not None
    assert dropped is not None
    assert dropped / one == pytest.approx(found.findings[-1].ratio, abs=1e-4)
