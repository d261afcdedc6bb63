"""The simulation of a fleet, against the cost model, against queueing theory and against a measured run."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest

from harness.core.errors import UsageError
from harness.core.registry import load_candidate
from harness.experiments.costs.components import CPU_COMPONENTS
from harness.experiments.costs.study import read_knowledge
from harness.experiments.costs.workload import Transfers
from harness.experiments.simulation.check import summed_up, validated
from harness.experiments.simulation.day import PEAK, day_with_a_goal, mean_factor, read_curve
from harness.experiments.simulation.path import path_of
from harness.experiments.simulation.plan import FleetPlan, checked, fleet_of, workload_at
from harness.experiments.simulation.servers import Servers
from harness.experiments.simulation.service_times import effective_tick_s, service_times
from harness.experiments.simulation.study import Simulated, mean_cores, simulate
from harness.results.frames import read_records
from tools.docs.quotes import REFERENCE

MODEL = read_knowledge().model
ROOMS = FleetPlan(rooms=400, members_per_room=50, rate_per_s=100, gateways=4)
HUGE = FleetPlan(rooms=1, members_per_room=1_000_000, rate_per_s=200)
SMALL = FleetPlan(rooms=50, members_per_room=20, rate_per_s=50, gateways=2)


def simulated(plan: FleetPlan, arch: str) -> Simulated:
    (fleet,) = simulate(plan, [arch], MODEL, []).fleets
    return fleet


@pytest.mark.parametrize("arch", MODEL.architectures)
def test_where_both_apply_the_cores_are_those_of_advise(arch: str) -> None:
    fleet = simulated(ROOMS, arch)
    cores = sum(mean_cores(fleet, name, day=False) for name in fleet.servers)
    workload = workload_at(ROOMS, fleet_of(MODEL, arch, ROOMS, 1.0), 1.0)
    assert cores == pytest.approx(MODEL.predict_all(CPU_COMPONENTS, arch, workload).value / 1e6, rel=0.05)


@pytest.mark.parametrize("arch", MODEL.architectures)
def test_the_path_of_a_message_has_the_transfers_of_its_route(arch: str) -> None:
    path, each = path_of(arch), Transfers.of(arch, 7, 3)
    assert path.records + 7 * path.records_per_gateway == each.records
    assert path.commands == each.commands
    assert each.copies == (7 if path.read_everywhere else 1 if path.owned else 3)


@pytest.mark.parametrize("arch", MODEL.architectures)
def test_the_service_times_add_up_to_what_the_model_predicts(arch: str) -> None:
    workload = workload_at(SMALL, fleet_of(MODEL, arch, SMALL, 1.0), 1.0)
    times, done = service_times(MODEL, arch, workload), MODEL.sharing.activity(arch, workload)
    cores = (
        workload.gateways * times.idle_gateway_cores
        + times.idle_kafka_cores
        + times.idle_redis_cores
        + times.message_s * done.messages
        + times.copy_s * done.copies
        + times.write_s * done.writes
        + times.delivery_s * done.deliveries
        + times.record_s * done.records
        + times.fetch_s * done.fetches
        + times.command_s * done.commands
        + times.redis_copy_s * done.copies * load_candidate(arch).requires.any_redis
    )
    assert cores == pytest.approx(MODEL.predict_all(CPU_COMPONENTS, arch, workload).value / 1e6, rel=1e-6)


def test_a_queue_waits_as_long_as_theory_says() -> None:
    """M/D/1 at a utilisation of 0.8: the mean wait is 0.8 / (2 * 0.2) service times (Pollaczek and Khinchine)."""
    servers = Servers(1)
    random = np.random.default_rng(1)
    for at_s in np.cumsum(random.exponential(1.25, 40_000)):
        servers.serve_one(0, float(at_s), 1.0)
    assert servers.waited_mean_ms / 1000 == pytest.approx(2.0, rel=0.1)


def test_a_server_with_several_cores_does_as_much_in_less_time() -> None:
    servers = Servers(1, cores=4)
    assert servers.serve_one(0, 0.0, 1.0) == 0.25
    assert servers.offered_s[0] == 1.0
    assert servers.used_s(0.125)[0] == 0.5
    servers.forget(0.125)
    assert (servers.offered_s[0], servers.used_s(1.0)[0]) == (0.0, 0.5)


@pytest.mark.parametrize("tick_s", [0.0005, 0.0015])
def test_the_tick_is_found_again_from_the_messages_in_a_write(tick_s: float) -> None:
    expected = 300 * tick_s
    assert effective_tick_s(1 + expected * (1 - np.exp(-expected)), 300) == pytest.approx(tick_s)


def test_a_million_members_take_no_more_events_and_say_which_component_is_over() -> None:
    redis = simulated(HUGE, next(each for each in MODEL.architectures if path_of(each).commands))
    assert redis.servers["gateway"] > 100
    assert redis.slices[0].components["redis"].over
    assert redis.slices[0].latency_p50_ms is None
    assert any("Redis shards" in sentence for sentence in redis.over)


def test_the_owner_of_a_hot_room_is_the_busiest_gateway() -> None:
    arch = next(each for each in MODEL.architectures if path_of(each).owned)
    equal = simulated(ROOMS, arch).slices[0].components["gateway"]
    hot = simulated(msgspec.structs.replace(ROOMS, hot_room=0.5), arch).slices[0].components["gateway"]
    assert hot.busiest > 2 * equal.busiest


def test_brokers_that_keep_a_record_share_the_work_of_which_there_is_more() -> None:
    arch = next(each for each in MODEL.architectures if path_of(each).owned)
    plan = msgspec.structs.replace(SMALL, rooms=1, rate_per_s=500)  # one room has one partition, and so one leader
    one = simulated(plan, arch).slices[0].components["broker"]
    three = simulated(msgspec.structs.replace(plan, replicas=3), arch).slices[0].components["broker"]
    assert one.cores < three.cores
    assert one.busiest < three.busiest < 3 * one.busiest


def test_the_same_seed_gives_the_same_simulation() -> None:
    arch = MODEL.architectures[0]
    assert simulated(SMALL, arch) == simulated(SMALL, arch)
    assert simulated(SMALL, arch) != simulated(msgspec.structs.replace(SMALL, seed=2), arch)


def test_larger_rooms_take_longer_until_the_last_member_has_a_message() -> None:
    arch = MODEL.architectures[0]
    large = simulated(FleetPlan(rooms=1, members_per_room=4000, rate_per_s=2, gateways=2), arch).slices[0]
    small = simulated(FleetPlan(rooms=1, members_per_room=40, rate_per_s=2, gateways=2), arch).slices[0]
    assert large.latency_p50_ms is not None
    assert small.latency_p50_ms is not None
    assert large.latency_p50_ms > small.latency_p50_ms + 2


def test_a_day_has_the_mean_asked_for_and_its_peak_at_the_goal() -> None:
    day = day_with_a_goal()
    assert mean_factor(day) == pytest.approx(1.0)
    peak = max(day, key=lambda moment: moment.factor)
    assert peak.hour == 20.75
    assert peak.factor == pytest.approx(PEAK)


def test_a_day_is_simulated_at_each_of_its_moments(tmp_path: Path) -> None:
    curve = tmp_path / "curve.csv"
    curve.write_text("hour,factor\n12,1\n3,0.2\n20.5,3\n")
    (fleet,) = simulate(SMALL, [MODEL.architectures[0]], MODEL, read_curve(curve)).fleets
    assert [each.at_s / 3600 for each in fleet.slices] == [3, 12, 20.5]
    assert [each.rate_per_s for each in fleet.slices] == pytest.approx([10, 50, 150])
    cores = [each.components["gateway"].cores for each in fleet.slices]
    assert cores == sorted(cores)
    assert cores[0] < mean_cores(fleet, "gateway", day=True) < cores[2]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a,b\n1,2\n", "needs a head"),
        ("hour,factor\n", "has 0 lines"),
        ("hour,factor\n25,1\n", "hours are from 0"),
        ("hour,factor\n1,x\n", "needs a head"),
    ],
)
def test_a_curve_that_makes_no_sense_is_refused_in_one_sentence(text: str, says: str, tmp_path: Path) -> None:
    curve = tmp_path / "curve.csv"
    curve.write_text(text)
    with pytest.raises(UsageError, match=says):
        read_curve(curve)


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"rooms": 0}, "--rooms"),
        ({"seed": -1}, "--seed"),
        ({"replicas": 2}, "must be 1 or 3"),
        ({"replicas": 3, "brokers": 2}, "use --brokers 3"),
        ({"hot_room": 2.0}, "not a possible share"),
        ({"members_per_room": 1e8, "rooms": 10}, "too many to simulate"),
    ],
)
def test_a_size_out_of_range_is_refused(changed: dict[str, float], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        checked(msgspec.structs.replace(SMALL, **changed))


def test_an_architecture_without_unit_costs_is_refused() -> None:
    with pytest.raises(UsageError, match="does not cover"):
        simulate(SMALL, ["direct"], MODEL, [])


def test_a_measured_run_is_compared_with_its_simulation() -> None:
    records = read_records([REFERENCE / "big_room"])
    some = [record for record in records if record.summary.arch in MODEL.architectures][:2]
    compared = validated(some, MODEL)
    assert len(compared) == 2
    assert (compared["cores_measured"] > 0).all()
    assert (compared["latency_p99_ms_simulated"] > compared["latency_p50_ms_simulated"]).all()
    assert {"latency p99", "CPU of gateway"} <= {each.what for each in summed_up(compared)}
