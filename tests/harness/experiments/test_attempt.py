"""Whether the objective held in a run, and what was full."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from harness.core.settings import RunSettings
from harness.experiments.attempt import Objective, judge_attempt, saturated
from harness.measure.histogram import LatencyMs
from harness.measure.validity import DriverVerdict
from harness.runs.summary import GatewayFigures, Summary, ThreadGroup

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


@pytest.mark.parametrize(
    ("change", "broke", "why"),
    [
        ({"latency_ms": LatencyMs(p99=250.0)}, "p99 was too high", "p99 was 250 ms"),
        ({"lost": 3}, "deliveries were lost", "3 deliveries were lost"),
        (
            {"driver": DriverVerdict(valid=False, why="it was late")},
            "the driver was not valid",
            "the driver was not valid",
        ),
        ({"delivered": 0}, "nothing was delivered", "no message was delivered"),
        (
            {"neither": 500, "expected": 500, "sent": 10},
            "messages were not taken",
            "0 of 10 messages (0.0%) were not taken; 500 deliveries (50.0%) were owed to nobody",
        ),
    ],
)
def test_the_objective_is_all_of_it_at_once(change: dict[str, object], broke: str, why: str) -> None:
    assert judge_attempt(SUMMARY, SETTINGS, Objective(p99_ms=200), "r").held
    broken = judge_attempt(replace(SUMMARY, **change), SETTINGS, Objective(p99_ms=200), "r")
    assert not broken.held
    assert broken.broke == [broke]
    assert broken.why == why


def test_members_who_were_cut_off_are_no_capacity() -> None:
    """As in slow_members: who is cut off is owed nothing it had not read."""
    for disconnects, why in ((12, "; 2 connections broke"), (10, ""), (3, "")):  # who reads slowly knows it late
        cut_off = replace(SUMMARY, disconnects=disconnects, gateway_counts={"cut_off_slow": 10})
        judged = judge_attempt(cut_off, SETTINGS, Objective(), "r")
        assert (judged.held, judged.why) == (False, f"10 members were disconnected because they read too slowly{why}")
    assert judge_attempt(SUMMARY, SETTINGS, Objective(), "r").held


def test_what_was_achieved_is_a_share_of_what_was_offered() -> None:
    slow = replace(SUMMARY, publishes_per_s=8.0, expected=200, delivered=150)
    assert judge_attempt(slow, SETTINGS, Objective(), "r").achieved == pytest.approx(0.8 * 0.75)
    assert judge_attempt(SUMMARY, SETTINGS, Objective(), "r").achieved is None


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


def test_a_hot_gateway_is_seen_beside_idle_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: 8)
    each = [
        GatewayFigures(members=5, deliveries=1, wasted=0, bytes_to_members=1, cores_used=cores)
        for cores in (0.02, 0.97, 0.03)
    ]
    hot = replace(SUMMARY, gateways=3, cores_used={"gateway": 1.02}, each_gateway=each)
    assert saturated(hot, SETTINGS) == ["gateway 1 (97% of a core)"]


def test_the_driver_or_the_machine_may_break_before_the_architecture() -> None:
    broken = judge_attempt(replace(SUMMARY, lost=3), SETTINGS, Objective(), "r")
    assert broken.limited_by is None
    assert replace(broken, saturated=["the machine (1.9 of 2 cores, most by gateway)"]).limited_by == "the machine"
    assert replace(broken, driver_valid=False, broke=["the driver was not valid"]).limited_by == "the driver"
    assert replace(broken, held=True, driver_valid=False).limited_by is None


def test_a_thread_that_is_full_is_named_though_its_process_is_not() -> None:
    threads = [
        ThreadGroup("kafka", "data-plane-kafk", threads=3, cores_used=1.1, busiest_cores=0.93),
        ThreadGroup("gateway", "main thread", threads=2, cores_used=1.7, busiest_cores=0.9),  # told per gateway already
        ThreadGroup("gateway", "rdk:broker", threads=4, cores_used=0.3, busiest_cores=0.2),
    ]
    assert saturated(replace(SUMMARY, threads=threads), SETTINGS) == ["kafka's data-plane-kafk (93% of a core)"]


def test_only_a_driver_that_was_full_on_a_machine_with_cores_left_needs_processes() -> None:
    late = replace(SUMMARY, driver=DriverVerdict(valid=False, why="it was late"))
    full = replace(late, cores_used={"gateway": 0.1, "audience": 0.95})
    everything = replace(late, cores_used={"gateway": 1000.0, "audience": 0.95})
    needs = [judge_attempt(each, SETTINGS, Objective(), "r").needs_processes for each in (late, full, everything)]
    assert needs == [False, True, False]
    assert judge_attempt(full, SETTINGS, Objective(), "r").full_process == "audience (95% of a core)"


def test_a_late_driver_on_a_full_machine_is_the_machines_fault() -> None:
    late = replace(SUMMARY, driver=DriverVerdict(valid=False, why="it was late"), cores_used={"gateway": 1000.0})
    assert judge_attempt(late, SETTINGS, Objective(), "r").limited_by == "the machine"


def test_a_backlog_at_the_end_is_the_architectures() -> None:
    left = replace(SUMMARY, driver=DriverVerdict(valid=False, why="not all arrived"), not_drained=700)
    found = judge_attempt(left, SETTINGS, Objective(), "r")
    assert (found.broke, found.limited_by) == (["a backlog was left"], None)
    assert found.why == "700 deliveries were still to come"
