"""Latency is predicted from a workload, with honest intervals, and not where a queue would decide it."""

from __future__ import annotations

import pandas as pd
import pytest

from harness.experiments.costs import shipped
from harness.experiments.costs.latency import LatencyModel, LatencyPrediction, NotPredicted, fit_latency, usable
from harness.experiments.costs.latency_validation import P50, accuracies, checked
from harness.experiments.costs.workload import Workload
from tests.harness.experiments.costs.made_up_latency import ARCHITECTURES, BASE_MS, SHARED_MS, Shape, point, points

EXACT = fit_latency(points())
SUPPORTED = fit_latency(points(independent_messages=2_000))


def chat(
    *,
    rooms: int = 40,
    members_per_room: float = 5,
    rate_per_s: float = 100,
    gateways: int = 2,
    spread: float = 2,
    replicas: int = 1,
) -> Workload:
    return Workload(rooms, members_per_room, rate_per_s, 100, gateways, spread, replicas=replicas)


def predicted(model: LatencyModel, arch: str, workload: Workload) -> LatencyPrediction:
    found = model.predict(arch, workload)
    assert isinstance(found, LatencyPrediction), found
    return found


def why_not(arch: str, workload: Workload) -> str:
    found = EXACT.predict(arch, workload)
    assert isinstance(found, NotPredicted)
    return found.why


def test_the_terms_of_a_world_without_noise_are_found() -> None:
    found = dict(zip(EXACT.median.names, EXACT.median.coefficients, strict=True))
    assert [found[f"base ({arch})"] for arch in ARCHITECTURES] == pytest.approx(list(BASE_MS.values()), rel=1e-3)
    assert list(found.values())[len(ARCHITECTURES) :] == pytest.approx(list(SHARED_MS), rel=0.02)


def test_a_run_of_that_world_is_predicted_as_it_was_measured() -> None:
    errors = checked(EXACT, pd.DataFrame([point(arch, Shape(3, 4, 150, 40, 300)) for arch in ARCHITECTURES]))
    assert errors["error"].abs().max() < 0.03


def test_without_the_driver_a_room_is_written_by_all_gateways_at_once_unless_one_owns_it() -> None:
    few = chat(rooms=1, members_per_room=1000, rate_per_s=10, gateways=2, spread=2)
    many = chat(rooms=1, members_per_room=1000, rate_per_s=10, gateways=8, spread=8)
    broadcast = [predicted(EXACT, "kafka-broadcast", workload).p50_ms.value for workload in (few, many)]
    owned = [predicted(EXACT, "plan2", workload).p50_ms.value for workload in (few, many)]
    assert broadcast[1] < broadcast[0]
    assert owned[1] > broadcast[1]
    as_measured = EXACT.predict_as_measured("kafka-broadcast", few)
    assert isinstance(as_measured, LatencyPrediction)
    assert as_measured.p50_ms.value > broadcast[0]


def test_a_slower_machine_is_slower_where_that_was_measured() -> None:
    runs = points()
    slowness = pd.Series([0.08, 0.12] * (len(runs) // 2))
    runs = runs.assign(
        slowness_ms=slowness, latency_from_sending_p50_ms=runs["latency_from_sending_p50_ms"] * (slowness / 0.1) ** 0.5
    )
    model = fit_latency(runs)
    assert model.median.elasticity == pytest.approx(0.5, abs=0.1)
    slow, fast = (model.predict_as_measured("redis", chat(), slowness_ms=each) for each in (0.12, 0.08))
    assert isinstance(slow, LatencyPrediction)
    assert isinstance(fast, LatencyPrediction)
    assert slow.p50_ms.value > 1.1 * fast.p50_ms.value


def test_followers_take_time_and_only_where_records_are_replicated() -> None:
    more_ms = [
        predicted(EXACT, arch, chat(replicas=3)).p50_ms.value - predicted(EXACT, arch, chat()).p50_ms.value
        for arch in ("plan1", "redis")
    ]
    assert more_ms == pytest.approx([0.8 + 0.6 / 6, 0], abs=0.02)


def test_near_saturation_nothing_is_predicted_and_the_reason_is_said() -> None:
    assert "event loop" in why_not("plan2", chat(rooms=1, members_per_room=5000, rate_per_s=40))
    assert "Redis's one thread" in why_not("redis", chat(rooms=4000, rate_per_s=20_000, gateways=100))
    assert "30,000 members" in why_not("plan2", chat(rooms=1, members_per_room=30_000, rate_per_s=0.1, gateways=100))
    assert "no run" in why_not("kafka-redis", chat())
    full = EXACT.predict_as_measured("plan1", chat(rooms=400, rate_per_s=3000, gateways=4, spread=4))
    assert isinstance(full, NotPredicted)
    assert "machine would be" in full.why


def test_a_99th_percentile_needs_runs_that_support_one() -> None:
    without = predicted(EXACT, "redis", chat()).p99_ms
    assert isinstance(without, NotPredicted)
    assert "0 independent messages together" in without.why
    with_one = predicted(SUPPORTED, "redis", chat())
    p99_ms = with_one.p99_ms
    assert not isinstance(p99_ms, NotPredicted)
    assert p99_ms.value > with_one.p50_ms.value
    assert checked(SUPPORTED, points(independent_messages=2_000)).query("what == 'p99'")["error"].abs().max() < 0.02


def test_runs_of_a_late_driver_or_a_full_machine_are_not_used() -> None:
    runs = points()
    runs.loc[0, "driver_valid"] = False
    runs.loc[1, "cores_gateway"] = 1.6
    runs.loc[2, "hottest_gateway_cores"] = 0.7
    assert len(usable(runs, machine_cores=2)) == len(runs) - 3
    with pytest.raises(ValueError, match="no run"):
        fit_latency(runs.assign(driver_valid=False))
    with pytest.raises(ValueError, match="too few"):
        fit_latency(runs.iloc[8:16])


def test_draws_are_paired_and_intervals_grow_with_the_noise() -> None:
    noisy = fit_latency(points(noise=0.1))
    one = predicted(noisy, "redis", chat()).p50_ms
    exact = predicted(EXACT, "redis", chat()).p50_ms
    assert one.low < exact.value < one.high
    assert one.high - one.low > 5 * (exact.high - exact.low)
    assert len(predicted(noisy, "redis", chat()).p50.draws) == len(predicted(noisy, "plan1", chat()).p50.draws)


@pytest.mark.slow
def test_runs_made_after_the_fit_are_predicted_within_the_noise() -> None:
    every = points(noise=0.05)
    later = every["rooms"].isin([10, 30])
    model = fit_latency(every[~later])
    found = accuracies(model, every[later].assign(range="inside"))
    median = next(each for each in found if each.what == P50)
    assert median.median_error is not None
    assert median.within is not None
    assert median.median_error < 0.08
    assert median.within > 0.75


def test_the_runs_that_chatbench_ships_are_predicted() -> None:
    found = accuracies(fit_latency(shipped.read_fitted()), shipped.read_held_out())
    inside = next(each for each in found if (each.range, each.what) == ("inside", P50))
    assert inside.median_error is not None
    assert inside.median_error < 0.15
