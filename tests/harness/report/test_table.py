import io

import msgspec
import pytest
from rich.console import Console

from harness.experiments.fault_matrix import Matrix
from harness.measure.histogram import LatencyMs
from harness.measure.validity import DriverVerdict
from harness.report.faults import faults_lines, faults_table
from harness.report.run import summary_table, verdict_lines
from harness.runs.promises import PromiseCheck
from harness.runs.summary import CpuUsPerDelivery, KafkaCpu, Summary
from harness.services.kafka.metrics import KafkaPerMessage
from harness.services.redis.metrics import RedisPerMessage
from tools.docs.quotes import REFERENCE

SUMMARY = Summary(
    arch="plan1",
    scenario="big_room",
    status="complete",
    members=1000,
    rooms=1,
    gateways=2,
    sent=600,
    acked=600,
    not_sent=0,
    expected=600_000,
    delivered=450_000,
    lost=150_000,
    lost_acked=150_000,
    duplicated=0,
    reordered=0,
    deliveries_per_s=20_000.4,
    latency_ms=LatencyMs(5.04, 6, 9.96, 12, 20),
    kafka=KafkaPerMessage(2.0, 1.9, 500, 500, 582.4),
    driver=DriverVerdict(valid=True, why=None),
)


def printed(summary: Summary) -> str:
    out = io.StringIO()
    Console(file=out, width=100).print(summary_table(summary))
    return out.getvalue()


def test_the_figures_are_there_with_their_units() -> None:
    text = printed(SUMMARY)
    for part in (
        "1,000 members · 1 room · 2 gateways",
        "450,000 of 600,000",
        "20,000",
        "25.00%",
        "5.0 ms",
    ):
        assert part in text


def latency_lines(**given: object) -> list[str]:
    text = printed(msgspec.structs.replace(SUMMARY, **given))
    return [" ".join(line.split()) for line in text.splitlines() if line.startswith("delivery latency")]


def test_percentiles_that_the_messages_do_not_support_say_how_many_are_needed() -> None:
    assert latency_lines() == [
        "delivery latency p50 5.0 ms",
        "delivery latency p99 / p99.9 n/a: 600 messages, 1,000 needed",
    ]
    assert latency_lines(sent=20_000, independent_messages=1_234) == [
        "delivery latency p50 / p99 5.0 / 10.0 ms",
        "delivery latency p99.9 n/a: 1,234 messages, 10,000 needed",
    ]
    assert latency_lines(independent_messages=10_000) == ["delivery latency p50 / p99 / p99.9 5.0 / 10.0 / 12.0 ms"]
    assert latency_lines(independent_messages=5) == [
        "delivery latency p50 / p99 / p99.9 n/a: 5 messages, 20 needed",
    ]


def test_the_latency_from_sending_stands_beside_the_latency() -> None:
    from_sending = LatencyMs(4.1, 5, 9.5, 11, 20)
    assert latency_lines(latency_from_sending_ms=from_sending, independent_messages=1_000) == [
        "delivery latency p50 / p99 5.0 / 10.0 ms (4.1 / 9.5 from sending)",
        "delivery latency p99.9 n/a: 1,000 messages, 10,000 needed",
    ]


def test_what_was_not_measured_is_said_and_never_printed_as_zero() -> None:
    text = printed(SUMMARY)
    (ack,) = [line for line in text.splitlines() if line.startswith("ack latency")]
    assert "not measured" in ack
    empty = printed(Summary(arch="plan1", scenario="s", status="interrupted", members=2, gateways=2))
    assert "not measured" in empty
    assert " 0" not in empty.replace("· 0", "")


def test_latencies_of_an_invalid_driver_are_not_printed() -> None:
    text = printed(msgspec.structs.replace(SUMMARY, driver=DriverVerdict(valid=False, why="it was late")))
    assert "not valid" in text
    assert "5.0 /" not in text


def test_a_broken_promise_and_an_invalid_driver_are_said_below() -> None:
    summary = msgspec.structs.replace(
        SUMMARY,
        promises=[
            PromiseCheck("once", False, "7 duplicates"),
            PromiseCheck("ordered", True, "0"),
            PromiseCheck("x", None, ""),
        ],
        driver=DriverVerdict(valid=False, why="it was late"),
    )
    assert verdict_lines(summary) == [
        "promise broken: once (7 duplicates)",
        "not valid, the driver was the bottleneck: it was late",
    ]


def test_what_somebody_elses_brokers_cost_is_not_measured_and_not_left_out() -> None:
    text = printed(msgspec.structs.replace(SUMMARY, kafka=KafkaPerMessage()))
    for label in ("CPU per delivery, kafka", "Kafka records per message", "Kafka disk bytes per message"):
        (line,) = [line for line in text.splitlines() if line.startswith(label)]
        assert "not measured" in line


@pytest.mark.parametrize(
    ("cost_us", "resolution_us", "told"),
    [(0.0, 0, "0 us"), (0.0, 20_000, "< 0.044 us"), (0.012, 0, "0.012 us"), (7.04, 20_000, "7.0 us")],
)
def test_cpu_that_is_too_little_to_tell_is_not_told_as_none(cost_us: float, resolution_us: int, told: str) -> None:
    used = {"cpu_us_per_delivery": CpuUsPerDelivery(redis=cost_us), "redis": RedisPerMessage()}
    text = printed(msgspec.structs.replace(SUMMARY, cpu_resolution_us={"redis": resolution_us}, **used))
    (line,) = [line for line in text.splitlines() if line.startswith("CPU per delivery, redis")]
    assert line.removeprefix("CPU per delivery, redis").strip() == told


def test_what_was_left_behind_is_said() -> None:
    assert verdict_lines(msgspec.structs.replace(SUMMARY, left_behind="its topics")) == ["left behind: its topics"]


def matrix() -> Matrix:
    return msgspec.json.decode((REFERENCE / "faults" / "faults.json").read_bytes(), type=Matrix)


def test_what_broke_is_said_before_the_table_and_what_could_not_be_told_is_counted() -> None:
    held, other, *rest = (cell for cell in matrix().cells if cell.held)
    broken, untold = msgspec.structs.replace(other, held=False), msgspec.structs.replace(rest[0], held=None)
    found = msgspec.structs.replace(matrix(), cells=[held, broken, untold])
    assert faults_lines(found) == [
        "1 of 2 promises to survive a fault held; for 1 more the runs could not tell.",
        f"BROKEN: {broken.arch} under {broken.fault}.",
    ]


@pytest.mark.parametrize("width", [40, 80, 100, 240])
def test_a_matrix_of_faults_keeps_its_verdicts_in_every_window_and_names_what_it_leaves_out(width: int) -> None:
    out = io.StringIO()
    Console(file=out, width=width).print(faults_table(matrix()))
    text = " ".join(out.getvalue().split())
    for cell in matrix().cells:
        assert cell.arch in text
        assert cell.fault in text
    rows = {(cell.arch, cell.fault) for cell in matrix().cells if cell.held is True}  # of several rounds
    assert text.count("held") >= len(rows)
    assert ("In a wider window also" in text) == (width < 240)


def test_what_is_in_no_other_figure_is_shown_with_its_share_and_said_when_it_is_much() -> None:
    silenced = msgspec.structs.replace(
        SUMMARY, refused={"not_in_the_room": 388, "not_accepted": 2}, sent=812, neither=890, expected=8000
    )
    text = printed(silenced)
    assert "390 = 32.50%" in text
    assert "890 = 10.01%" in text
    (line,) = [
        line for line in verdict_lines(silenced) if line.startswith("these figures leave out more than a quarter")
    ]
    assert "390 of 1,200 messages (32.5%) were not taken" in line
    assert verdict_lines(SUMMARY) == []


def test_a_broker_that_was_cold_can_be_seen_and_what_to_do() -> None:
    cold = KafkaCpu(compiler_ms=350.0, collector_ms=30.0, rest_ms=620.0)
    (line,) = verdict_lines(msgspec.structs.replace(SUMMARY, kafka_cpu=cold))
    assert line.startswith("Kafka's CPU: 62% requests, 35% compiler, 3% collector; the brokers were still warming up")
    assert "--warmup" in line


def test_a_warm_broker_needs_no_advice() -> None:
    warm = KafkaCpu(compiler_ms=20.0, collector_ms=30.0, rest_ms=950.0)
    (line,) = verdict_lines(msgspec.structs.replace(SUMMARY, kafka_cpu=warm))
    assert line == "Kafka's CPU: 95% requests, 2% compiler, 3% collector"
