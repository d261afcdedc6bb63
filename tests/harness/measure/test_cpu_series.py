"""CPU time by second, from made-up readings."""

from __future__ import annotations

from collections.abc import Iterator

from harness.measure.cpu_series import SECOND_NS, CpuOfSecond, CpuSeries
from harness.measure.jvm import JvmCpu
from harness.measure.resources import CpuUsed

START_NS = 1_700_000_000_000_000_000


def readings() -> Iterator[CpuUsed]:
    for number in range(10):
        gateways = {"10": 0.02 * number, "11": 0.01 * number}
        by_component = {"gateway": sum(gateways.values()), "kafka": 0.1 * number}
        yield CpuUsed(by_component, gateways, {"kafka": JvmCpu(0.03 * number, 0.001 * number)})


def series(*, each_second: bool = True) -> CpuSeries:
    found = CpuSeries(readings().__next__, each_second=each_second)
    found.begin(START_NS)
    return found


def test_a_second_has_what_was_used_between_the_readings_at_its_ends() -> None:
    cpu = series()
    cpu.tick(START_NS + SECOND_NS)
    assert cpu.of_second(0) == CpuOfSecond(
        gateway_cpu_ms=30.0,
        kafka_cpu_ms=100.0,
        kafka_compiler_cpu_ms=30.0,
        kafka_collector_cpu_ms=1.0,
        each_gateway_cpu_ms="20.0 10.0",
    )


def test_a_gateway_that_has_ended_leaves_the_others_in_their_places() -> None:
    both, second = CpuUsed({}, {"10": 0.02, "11": 0.01}, {}), CpuUsed({}, {"11": 0.04}, {})
    cpu = CpuSeries(iter([both, second]).__next__, each_second=True)
    cpu.begin(START_NS)
    cpu.tick(START_NS + SECOND_NS)
    assert cpu.of_second(0).each_gateway_cpu_ms == "- 30.0"


def test_a_reading_is_taken_once_in_each_second() -> None:
    cpu = series()
    for at_ns in (0, SECOND_NS // 2, SECOND_NS, SECOND_NS + 1, 2 * SECOND_NS):
        cpu.tick(START_NS + at_ns)
    assert cpu.of_second(0).kafka_cpu_ms == cpu.of_second(1).kafka_cpu_ms == 100.0


def test_seconds_between_readings_that_were_missed_are_not_measured() -> None:
    cpu = series()
    cpu.tick(START_NS + 3 * SECOND_NS)
    cpu.tick(START_NS + 4 * SECOND_NS)
    assert [cpu.of_second(second).kafka_cpu_ms for second in range(5)] == [None, None, None, 100.0, None]


def test_nothing_is_read_each_second_where_that_is_dear() -> None:
    cpu = series(each_second=False)
    cpu.tick(START_NS + SECOND_NS)
    assert cpu.of_second(0) == CpuOfSecond()


def test_the_next_reading_is_due_at_the_end_of_the_second() -> None:
    assert series().due_in_s(START_NS + SECOND_NS * 9 // 4) == 0.75


def test_the_whole_phase_is_from_its_beginning_to_its_end() -> None:
    cpu = series()
    cpu.tick(START_NS + SECOND_NS)
    cpu.end()
    assert cpu.used.by_component["kafka"] == 0.2
    assert cpu.used.jvms == {"kafka": JvmCpu(0.06, 0.002)}
