"""The search for a capacity, on made-up architectures that break at a given rate."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from harness.core.settings import RunSettings
from harness.experiments.capacity import (
    RUNS_MAX,
    Attempt,
    Capacity,
    Objective,
    Plan,
    bracket,
    capacity_of,
    judge_attempt,
    next_rate,
    saturated,
)
from harness.measure.histogram import LatencyMs
from harness.measure.validity import DriverVerdict
from harness.report.capacity import capacity_lines, capacity_table
from harness.report.rate_charts import hockey_stick
from harness.runs.summary import Summary
from tests.harness.report.chart_rules import assert_says_what_one_sees

SETTINGS = RunSettings(arch="plan1", rate_per_s=10)
SUMMARY = Summary(
    arch="plan1",
    scenario="big_room",
    status="complete",
    members=10,
    gateways=2,
    delivered=100,
    lost=0,
    latency_ms=LatencyMs(p50=5.0, p99=50.0),
    driver=DriverVerdict(valid=True, why=None),
    cores_used={"gateway": 0.4, "kafka": 0.3},
)


def attempt(rate_per_s: float, *, held: bool) -> Attempt:
    return Attempt(
        rate_per_s=rate_per_s,
        held=held,
        why=None if held else "p99 was 900 ms",
        p50_ms=5,
        p99_ms=50,
        deliveries_per_s=rate_per_s,
        driver_valid=True,
        saturated=[],
        record="r",
    )


def found(holds: Callable[[float, int], bool], start_per_s: float, precision: float, repeats: int) -> list[Attempt]:
    """Every attempt of a search, where `holds` says what happens at a rate the n-th time it is tried."""
    attempts: list[Attempt] = []
    while len(attempts) < RUNS_MAX:
        rate = next_rate(attempts, start_per_s, precision, repeats)
        if rate is None:
            break
        tried = sum(each.rate_per_s == rate for each in attempts)
        attempts.append(attempt(rate, held=holds(rate, tried)))
    return attempts


@settings(max_examples=200)
@given(
    limit=st.floats(1.0, 500_000.0),
    start=st.floats(1.0, 100_000.0),
    precision=st.sampled_from([0.05, 0.1, 0.5]),
    repeats=st.integers(1, 5),
)
def test_it_finds_the_limit_as_closely_as_asked(limit: float, start: float, precision: float, repeats: int) -> None:
    attempts = found(lambda rate, _tried: rate <= limit, start, precision, repeats)
    assert len(attempts) < RUNS_MAX
    good, bad = bracket(attempts)
    if good is None:
        assert limit < 2  # the search ends below twice the least rate
    else:
        assert good <= limit
        assert sum(each.rate_per_s == good for each in attempts) >= repeats
        if bad is not None:
            assert limit < bad <= good * (1 + precision) * 1.01  # rates have three digits


def test_a_rate_that_held_by_luck_is_not_the_capacity() -> None:
    # 100 is sustained. Above it, up to 150, the first run of a rate holds and the second does not.
    attempts = found(lambda rate, tried: rate <= 100 or (rate <= 150 and tried == 0), 50, 0.1, 3)
    good, bad = bracket(attempts)
    assert good is not None
    assert bad is not None
    assert 90 < good <= 100 < bad


def test_a_ramp_ends_where_the_gateways_take_no_more() -> None:
    held = [attempt(100, held=True), attempt(200, held=True)]
    assert next_rate(held, 100, 0.1, 2) == 400
    assert next_rate(held, 100, 0.1, 2, most_per_s=200) == 200, "it is tried as often as was asked"
    assert next_rate([*held, attempt(200, held=True)], 100, 0.1, 2, most_per_s=200) is None


def test_members_who_were_cut_off_are_no_capacity() -> None:
    """As in slow_members: who is cut off is owed nothing it had not read."""
    for disconnects, why in ((12, "; 2 connections broke"), (10, ""), (3, "")):  # who reads slowly knows it late
        cut_off = replace(SUMMARY, disconnects=disconnects, gateway_counts={"cut_off_slow": 10})
        judged = judge_attempt(cut_off, SETTINGS, Objective(), "r")
        assert (judged.held, judged.why) == (False, f"10 members were disconnected because they read too slowly{why}")
    assert judge_attempt(SUMMARY, SETTINGS, Objective(), "r").held


def test_what_does_not_even_hold_at_one_message_a_second_has_no_capacity() -> None:
    attempts = found(lambda _rate, _tried: False, 50, 0.1, 3)
    assert bracket(attempts)[0] is None
    assert len(attempts) < 10


def test_confidence_grows_with_the_runs_that_held() -> None:
    def of(held_runs: int) -> float:
        return Capacity(
            arch="a",
            scenario="s",
            objective=Objective(),
            precision=0.1,
            rate_per_s=100,
            held_runs=held_runs,
            broke_at_per_s=None,
            broke_why=None,
            saturated=[],
            limited_by_driver=False,
            settings=RunSettings(arch="a"),
            attempts=[],
        ).held_at_least

    assert of(1) == pytest.approx(0.05)
    assert of(3) == pytest.approx(0.368, abs=0.001)
    assert of(0) == 0


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"latency_ms": LatencyMs(p99=250.0)}, "p99 was 250 ms"),
        ({"lost": 3}, "3 deliveries were lost"),
        ({"driver": DriverVerdict(valid=False, why="it was late")}, "the driver was not valid"),
        ({"delivered": 0}, "no message was delivered"),
        (
            {"neither": 500, "expected": 500, "sent": 10},
            "0 of 10 messages (0.0%) were not taken; 500 deliveries (50.0%) were owed to nobody",
        ),
    ],
)
def test_the_objective_is_all_of_it_at_once(change: dict[str, object], why: str) -> None:

    assert judge_attempt(SUMMARY, SETTINGS, Objective(p99_ms=200), "r").held
    broken = judge_attempt(replace(SUMMARY, **change), SETTINGS, Objective(p99_ms=200), "r")
    assert not broken.held
    assert broken.why == why


def test_a_component_is_saturated_when_its_busy_thread_is(monkeypatch: pytest.MonkeyPatch) -> None:

    monkeypatch.setattr("os.cpu_count", lambda: 8)
    assert saturated(SUMMARY, SETTINGS) == []
    # Two gateways share what the component used; a JVM has more than one thread.
    assert saturated(replace(SUMMARY, cores_used={"gateway": 1.8, "kafka": 1.5}), SETTINGS) == [
        "gateway (90% of a core)"
    ]
    assert saturated(replace(SUMMARY, cores_used={"gateway": 1.0, "audience": 0.97}), SETTINGS) == [
        "audience (97% of a core)"
    ]
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    assert saturated(replace(SUMMARY, cores_used={"gateway": 1.0, "kafka": 0.9}), SETTINGS) == [
        "the machine (1.9 of 2 cores, most by gateway)"
    ]
    apart = replace(SETTINGS, gateways_at=("ws://192.168.1.20:9001",))
    assert saturated(replace(SUMMARY, cores_used={"gateway": 1.0, "kafka": 0.9}), apart) == []


def found_with(*attempts: Attempt, processes: int = 1) -> Capacity:
    """What is told of a search that made these attempts."""
    plan = Plan(objective=Objective(p99_ms=200))
    return capacity_of(RunSettings(arch="redis", processes=processes), plan, list(attempts), "big_room")


LATE = replace(attempt(12_800, held=False), driver_valid=False, p99_ms=900.0, why="the driver was not valid")
HELD = [attempt(6_400, held=True)] * 3


def test_where_only_the_driver_broke_the_capacity_is_at_least_that() -> None:
    driver_limited = found_with(*HELD, LATE, LATE)
    assert driver_limited.at_least
    assert capacity_lines(driver_limited)[0].plain.startswith("capacity: at least 6,400 messages/s (")
    assert "capacity: at least 6,400 messages/s" in str(capacity_table(driver_limited).title)
    assert str(list(capacity_table(driver_limited).columns[-1].cells)[-1]) == "unknown: the driver was not valid"
    assert driver_limited.answer()["at_least"] is True
    assert msgspec.convert(driver_limited.answer(), Capacity) == driver_limited
    texts = [each.get_text() for each in hockey_stick(driver_limited).axes[0].texts]
    assert texts == [" at least 6,400 messages/s "]


def test_what_never_broke_is_at_least_that_too() -> None:
    assert found_with(*HELD).rate_text == "at least 6,400 messages/s"


def test_what_broke_with_a_valid_driver_has_that_capacity() -> None:
    broke = found_with(*HELD, LATE, attempt(12_800, held=False))
    assert not broke.at_least
    assert broke.rate_text == "6,400 messages/s"
    assert capacity_lines(broke)[0].plain.startswith("capacity: 6,400 messages/s (")


def test_where_the_driver_was_in_the_way_at_every_rate_nothing_is_told_of_the_architecture() -> None:
    (line,) = capacity_lines(found_with(replace(LATE, rate_per_s=1.0), processes=2))
    assert line.plain == (
        "unknown: even at 1 messages/s the driver was the bottleneck (the driver was not valid); "
        "try fewer --members, or --processes 4"
    )


def test_crosses_stand_at_their_value_in_the_chart() -> None:
    drawn = hockey_stick(found_with(*HELD, LATE, replace(LATE, rate_per_s=9_050, p99_ms=350.0)))
    assert_says_what_one_sees(drawn, "capacity")
    (axes,) = drawn.axes
    (crosses,) = [line for line in axes.lines if line.get_marker() == "x"]
    assert np.asarray(crosses.get_xydata()).tolist() == [[12_800, 900], [9_050, 350]]
