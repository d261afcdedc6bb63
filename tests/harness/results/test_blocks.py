"""What the blocks of a comparison say."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from harness.analysis.verdicts import Answer
from harness.measure.histogram import LatencyMs
from harness.measure.validity import DriverVerdict
from harness.results.blocks import Compared, Figure, compared, cost_contrasts
from harness.results.frames import read_records
from harness.runs.summary import CpuUsPerDelivery, KafkaCpu, Summary
from tests.harness.report.records import write_record

CHEAP_US, DEAR_US = 10.0, 20.0


def write_block(out: Path, number: int, *, without: str | None = None) -> None:
    """A block of two architectures at two rates: plan1 costs twice as much as redis in everything."""
    folder = out / f"round-{number}"
    folder.mkdir(parents=True, exist_ok=True)
    noise = 1 + number / 200
    for arch, cost_us in (("plan1", DEAR_US), ("redis", CHEAP_US)):
        for rate_per_s in (20.0, 100.0):
            idle = {"gateway": 2 * cost_us * noise, "kafka" if arch == "plan1" else "redis": 3 * cost_us}
            if arch != without:
                write_record(
                    folder,
                    arch,
                    cost_us=cost_us * noise,
                    rate_per_s=rate_per_s,
                    sent=1_000,
                    idle_cpu_ms_per_s=idle,
                    slowness_ms=1.0,
                    idle_slowness_ms=1.0,
                )


def only(folder: Path) -> Compared:
    (found,) = compared(read_records([folder]))
    return found


def test_fixed_and_marginal_cost_are_compared_apart_from_latency(tmp_path: Path) -> None:
    for number in range(1, 6):
        write_block(tmp_path, number)
    found = only(tmp_path)
    assert found.decides
    assert found.rates_per_s == [20.0, 100.0]
    fixed, marginal = found.costs
    assert fixed.values["plan1"] == pytest.approx(2 * fixed.values["redis"])
    assert fixed.values["redis"] == pytest.approx(50, rel=0.02)
    assert marginal.values == {"plan1": pytest.approx(DEAR_US, rel=0.02), "redis": pytest.approx(CHEAP_US, rel=0.02)}
    assert {each.blocks for each in (*found.costs, *found.latencies)} == {5}
    assert {verdict.answer for verdict in found.verdicts} == {Answer.BETTER}
    assert {verdict.better for verdict in found.verdicts} == {"redis"}


def test_a_percentile_that_the_messages_do_not_support_is_not_shown(tmp_path: Path) -> None:
    for number in (1, 2):
        write_block(tmp_path, number)
    by_name = {each.name: each for each in only(tmp_path).latencies}
    assert by_name["p99 delivery latency at 20 msg/s"].values
    for folder in tmp_path.rglob("summary.json"):
        folder.write_text(folder.read_text().replace('"sent": 1000', '"sent": 100'))
    p99 = {each.name: each for each in only(tmp_path).latencies}["p99 delivery latency at 20 msg/s"]
    assert p99.values == {}
    assert p99.why_not == "n/a: 200 messages, 1,000 needed"


def test_the_runs_of_a_block_are_paired_although_another_block_lacks_one(tmp_path: Path) -> None:
    write_block(tmp_path, 1)
    write_block(tmp_path, 2, without="plan1")
    write_block(tmp_path, 3)
    found = only(tmp_path)
    assert {contrast.blocks for figure in found.costs for contrast in figure.contrasts} == {2}


def test_latencies_of_a_block_with_a_late_driver_do_not_count(tmp_path: Path) -> None:
    for number in (1, 2, 3):
        write_block(tmp_path, number)
    folder = tmp_path / "round-4"
    for arch in ("plan1", "redis"):
        late = DriverVerdict(valid=arch == "redis", why="late")
        write_record(folder, arch, rate_per_s=20.0, sent=1_000, driver=late)
    found = only(tmp_path)
    assert {each.blocks for each in found.latencies} == {3}


@pytest.mark.slow
def test_what_the_compiler_of_a_cold_broker_used_is_no_cost_of_the_architecture(tmp_path: Path) -> None:
    for number in range(1, 6):
        write_block(tmp_path, number)
    warm = only(tmp_path)
    compiler_ms_per_s = 50.0
    for file in tmp_path.rglob("summary.json"):
        run = msgspec.json.decode(file.read_bytes(), type=Summary)
        kafka = run.cpu_us_per_delivery.kafka
        if run.idle_cpu_ms_per_s is None or run.duration_s is None or run.deliveries_per_s is None or kafka is None:
            continue
        idle = {**run.idle_cpu_ms_per_s, "kafka": run.idle_cpu_ms_per_s["kafka"] + compiler_ms_per_s}
        more_us = 1_000 * compiler_ms_per_s / run.deliveries_per_s
        cold = msgspec.structs.replace(
            run,
            idle_cpu_ms_per_s=idle,
            idle_compiler_ms_per_s=compiler_ms_per_s,
            kafka_cpu=KafkaCpu(compiler_ms=compiler_ms_per_s * run.duration_s, collector_ms=0.0, rest_ms=100.0),
            cpu_us_per_delivery=msgspec.structs.replace(run.cpu_us_per_delivery, kafka=kafka + more_us),
        )
        file.write_bytes(msgspec.json.encode(cold))
    for before, after in zip(warm.costs, only(tmp_path).costs, strict=True):
        assert after.values == pytest.approx(before.values)


def change(folder: Path, how: Callable[[Summary], Summary], *, arch: str | None = None) -> None:
    """Change the summaries of all runs, or of one architecture's, in a folder."""
    for file in folder.rglob("summary.json"):
        summary = msgspec.json.decode(file.read_bytes(), type=Summary)
        if arch in (None, summary.arch):
            file.write_bytes(msgspec.json.encode(how(summary)))


def late_in_every_run_of(arch: str, folder: Path, **lateness_ms: float) -> None:
    late = LatencyMs(**lateness_ms)
    change(folder, lambda run: msgspec.structs.replace(run, send_lateness_ms=late), arch=arch)


def test_latencies_of_an_architecture_for_which_the_driver_was_too_late_are_left_out_and_its_cost_is_not(
    tmp_path: Path,
) -> None:
    for number in (1, 2, 3):
        write_block(tmp_path, number)
    late_in_every_run_of("redis", tmp_path, p50=2.0, p99=2.0)
    found = only(tmp_path)
    for figure in found.latencies:
        assert figure.values.keys() == {"plan1"}
        assert figure.left_out.keys() == {"redis"}
        assert figure.left_out["redis"].startswith("the driver was late by 2.0 ms")
    assert all(figure.values.keys() == {"plan1", "redis"} for figure in found.costs)


def test_a_driver_that_was_late_for_few_messages_spoils_only_the_tail(tmp_path: Path) -> None:
    for number in (1, 2, 3):
        write_block(tmp_path, number)
    late_in_every_run_of("redis", tmp_path, p50=0.3, p99=30.0)
    for figure in only(tmp_path).latencies:
        assert set(figure.left_out) == ({"redis"} if figure.name.startswith("p99") else set())


def test_an_audience_that_was_late_to_read_spoils_a_comparison_as_one_that_was_late_to_send(tmp_path: Path) -> None:
    for number in (1, 2, 3):
        write_block(tmp_path, number)
    late_in_every_run_of("redis", tmp_path, p50=0.1, p99=0.2)
    lag = LatencyMs(p50=0.1, p99=20.0)
    change(tmp_path, lambda run: msgspec.structs.replace(run, loop_lag_ms=lag), arch="redis")
    for figure in only(tmp_path).latencies:
        assert set(figure.left_out) == ({"redis"} if figure.name.startswith("p99") else set())
        assert figure.left_out.get("redis", "the driver was late by 20.0 ms").startswith("the driver was late by 20.0")


def test_where_the_driver_was_too_late_for_all_the_figure_says_so(tmp_path: Path) -> None:
    for number in (1, 2, 3):
        write_block(tmp_path, number)
    for arch in ("plan1", "redis"):
        late_in_every_run_of(arch, tmp_path, p50=9.0, p99=9.0)
    for figure in only(tmp_path).latencies:
        assert figure.values == {}
        assert (figure.why_not or "").startswith("n/a: the driver was late by 9.0 ms")


def test_runs_without_an_idle_cost_decide_nothing(tmp_path: Path) -> None:
    for number in (1, 2):
        for arch in ("plan1", "redis"):
            write_record(tmp_path / f"round-{number}", arch)
    (found,) = compared(read_records([tmp_path]))
    assert not found.decides


@pytest.mark.slow
def test_who_lost_a_message_is_compared_with_none_under_that_load_and_with_all_under_others(tmp_path: Path) -> None:
    for number in range(1, 5):
        for members in (10, 20):
            for arch, cost_us in (("plan1", 30.0), ("plan2", 20.0), ("redis", 10.0)):
                for rate_per_s in (20.0, 100.0):
                    write_record(
                        tmp_path / f"round-{number}",
                        arch,
                        cost_us=cost_us,
                        rate_per_s=rate_per_s,
                        members=members,
                        lost=int((arch, members, rate_per_s, number) == ("plan1", 20, 100.0, 3)),
                        idle_cpu_ms_per_s={"gateway": 3 * cost_us, "redis" if arch == "redis" else "kafka": 0.0},
                    )
    records = read_records([tmp_path])
    found = {each.shape["members"]: each for each in compared(records)}
    assert {members: each.architectures for members, each in found.items()} == {
        10: ["plan1", "plan2", "redis"],
        20: ["plan2", "redis"],
    }
    pairs = {(verdict.contrast.first, verdict.contrast.second) for verdict in found[20].verdicts}
    assert pairs == {("plan2", "redis")}
    assert len(cost_contrasts(records)) == 2 * (3 + 1), "two costs of three pairs and of one"


def test_where_all_lost_messages_nothing_is_compared(tmp_path: Path) -> None:
    for arch in ("plan1", "redis"):
        write_record(tmp_path, arch, lost=1)
    assert compared(read_records([tmp_path])) == []


def test_one_architecture_is_not_compared(tmp_path: Path) -> None:
    write_record(tmp_path, "plan1")
    assert compared(read_records([tmp_path])) == []


def test_a_cost_is_told_by_component_and_these_add_up_to_it(tmp_path: Path) -> None:
    for number in (1, 2, 3):
        write_block(tmp_path, number)
    fixed, marginal = only(tmp_path).costs
    for cost in (fixed, marginal):
        assert set(cost.parts["plan1"]) == {"gateway", "kafka"}
        for name, value in cost.values.items():
            assert sum(cost.parts[name].values()) == pytest.approx(value)
    assert fixed.parts["plan1"]["kafka"] == pytest.approx(0.6 * fixed.values["plan1"], rel=0.02)
    assert marginal.parts["plan1"]["kafka"] == pytest.approx(0.5 * marginal.values["plan1"], rel=0.02)


def test_a_percentile_rests_on_the_messages_of_the_blocks_that_it_is_made_of(tmp_path: Path) -> None:
    for number in (1, 2, 3, 4):
        write_block(tmp_path, number)
    change(tmp_path, lambda run: msgspec.structs.replace(run, independent_messages=370))
    assert {figure.messages for figure in only(tmp_path).latencies} == {4 * 370}
    late = DriverVerdict(valid=False, why="late")
    for number in (1, 2):
        block = tmp_path / f"round-{number}"
        change(block, lambda run: msgspec.structs.replace(run, driver=late), arch="plan1")
    p50, p99, *_ = only(tmp_path).latencies
    assert (p50.blocks, p50.messages) == (2, 740)
    assert (p99.values, p99.why_not) == ({}, "n/a: 740 messages, 1,000 needed")


def test_the_few_messages_of_an_architecture_that_is_left_out_do_not_spoil_the_others(tmp_path: Path) -> None:
    for number in (1, 2, 3):
        write_block(tmp_path, number)
        for rate_per_s in (20.0, 100.0):
            late = DriverVerdict(valid=False, why="late")
            write_record(tmp_path / f"round-{number}", "plan2", rate_per_s=rate_per_s, sent=10, driver=late)
    for figure in only(tmp_path).latencies:
        assert figure.values.keys() == {"plan1", "redis"}
        assert figure.left_out.keys() == {"plan2"}
        assert figure.messages == 3_000


def fixed_and_marginal(folder: Path) -> tuple[Figure, Figure]:
    fixed, marginal = only(folder).costs
    return fixed, marginal


def test_the_fixed_cost_of_brokers_that_the_run_did_not_start_is_not_that_of_its_gateways(tmp_path: Path) -> None:
    for number in (1, 2, 3, 4):
        write_block(tmp_path, number)
    assert len(cost_contrasts(read_records([tmp_path]))) == 2

    def on_somebodys_kafka(run: Summary) -> Summary:
        assert run.idle_cpu_ms_per_s is not None
        return msgspec.structs.replace(run, idle_cpu_ms_per_s={"gateway": run.idle_cpu_ms_per_s["gateway"]})

    change(tmp_path, on_somebodys_kafka, arch="plan1")
    fixed, _ = fixed_and_marginal(tmp_path)
    assert fixed.left_out == {"plan1": "not measured"}
    assert fixed.values == {"redis": pytest.approx(50, rel=0.02)}
    assert not fixed.contrasts


def test_a_comparison_does_not_stop_by_one_cost_while_the_other_is_unknown(tmp_path: Path) -> None:
    for number in (1, 2, 3, 4):
        write_block(tmp_path, number)
    change(tmp_path, lambda run: msgspec.structs.replace(run, cpu_us_per_delivery=CpuUsPerDelivery()))
    fixed, marginal = fixed_and_marginal(tmp_path)
    assert fixed.contrasts
    assert not marginal.contrasts
    assert cost_contrasts(read_records([tmp_path])) == []


def test_at_a_single_rate_there_is_no_marginal_cost_to_wait_for(tmp_path: Path) -> None:
    for number in (1, 2, 3, 4):
        for arch in ("plan1", "redis"):
            idle = {"gateway": 10.0 + number, "redis" if arch == "redis" else "kafka": 20.0}
            write_record(tmp_path / f"round-{number}", arch, idle_cpu_ms_per_s=idle)
    assert [each.figure.partition(":")[0] for each in cost_contrasts(read_records([tmp_path]))] == ["fixed cost"]


def test_a_rate_at_which_nothing_was_delivered_has_a_cost(tmp_path: Path) -> None:
    for number in (1, 2, 3, 4):
        write_block(tmp_path, number)

    def with_cores(run: Summary) -> Summary:
        cpu, rate_per_s = run.cpu_us_per_delivery, run.deliveries_per_s or 0.0
        parts = {name: used for name in ("gateway", "kafka", "redis") if (used := getattr(cpu, name)) is not None}
        cores = {name: used * rate_per_s / 1e6 for name, used in parts.items()}
        run = msgspec.structs.replace(run, cores_used=cores)
        if rate_per_s > 200:
            return run
        nothing = {"cores_used": dict.fromkeys(cores, 0.001), "cpu_us_per_delivery": CpuUsPerDelivery()}
        return msgspec.structs.replace(run, delivered=0, deliveries_per_s=0.0, **nothing)

    change(tmp_path, with_cores)
    _, marginal = fixed_and_marginal(tmp_path)
    assert marginal.values == {"plan1": pytest.approx(DEAR_US - 2, rel=0.02), "redis": pytest.approx(8, rel=0.03)}
    assert marginal.parts["plan1"] == pytest.approx({"gateway": 9, "kafka": 9}, rel=0.02)
    change(tmp_path, lambda run: msgspec.structs.replace(run, cores_used=None))  # as in older records
    _, marginal = fixed_and_marginal(tmp_path)
    assert (marginal.values, marginal.why_not) == ({}, "not measured")


def test_an_architecture_that_is_known_in_few_blocks_is_left_out_of_a_cost_and_the_others_are_compared(
    tmp_path: Path,
) -> None:
    for number in (1, 2, 3, 4):
        write_block(tmp_path, number)
    for rate_per_s in (20.0, 100.0):
        idle = {"gateway": 1.0, "kafka": 1.0}
        write_record(
            tmp_path / "round-2",
            "plan2",
            rate_per_s=rate_per_s,
            sent=1_000,
            idle_cpu_ms_per_s=idle,
            slowness_ms=1.0,
            idle_slowness_ms=1.0,
        )
    for figure in fixed_and_marginal(tmp_path):
        assert figure.left_out == {"plan2": "measured in only 1 of 4 blocks"}
        assert figure.blocks == 4
        assert [(each.first, each.second, each.blocks) for each in figure.contrasts] == [("plan1", "redis", 4)]


def test_a_cost_that_was_not_above_zero_in_a_block_is_not_told_by_the_others(tmp_path: Path) -> None:
    for number in (1, 2, 3, 4):
        write_block(tmp_path, number)

    def no_more_than_idle(run: Summary) -> Summary:
        is_high = (run.deliveries_per_s or 0.0) > 200
        return msgspec.structs.replace(run, cores_used={"gateway": 0.1, "redis": 0.05 if is_high else 0.06})

    change(tmp_path / "round-3", no_more_than_idle, arch="redis")
    fixed, marginal = fixed_and_marginal(tmp_path)
    assert fixed.left_out == {}
    assert marginal.left_out == {"redis": "too small to measure in 1 of 4 blocks"}
    assert marginal.values.keys() == {"plan1"}
    change(tmp_path, no_more_than_idle, arch="redis")
    change(tmp_path, lambda run: msgspec.structs.replace(run, cores_used=None), arch="plan1")
    change(tmp_path, lambda run: msgspec.structs.replace(run, cpu_us_per_delivery=CpuUsPerDelivery()), arch="plan1")
    _, marginal = fixed_and_marginal(tmp_path)
    assert marginal.why_not == "n/a: plan1: not measured; redis: too small to measure in 4 of 4 blocks"


@pytest.mark.slow
def test_of_two_runs_at_the_same_place_of_a_block_the_last_counts_in_every_figure(tmp_path: Path) -> None:
    for number in (1, 2, 3):
        write_block(tmp_path / "once", number)
        write_block(tmp_path / "again", number)
    change(
        tmp_path / "again" / "round-3", lambda run: msgspec.structs.replace(run, slowness_ms=9.0, idle_slowness_ms=9.0)
    )
    doubled = {"gateway": 400.0, "kafka": 10.0}
    change(
        tmp_path / "again" / "round-3",
        lambda run: msgspec.structs.replace(run, idle_cpu_ms_per_s=doubled, cores_used={"gateway": 2.0, "kafka": 2.0}),
        arch="plan1",
    )
    write_block(tmp_path / "again", 3)
    once, again = only(tmp_path / "once"), only(tmp_path / "again")
    assert [figure.values for figure in again.costs] == [figure.values for figure in once.costs]
    assert [figure.parts for figure in again.costs] == [figure.parts for figure in once.costs]
    assert [figure.contrasts for figure in again.costs] == [figure.contrasts for figure in once.costs]
    assert [figure.messages for figure in again.latencies] == [figure.messages for figure in once.latencies]


@pytest.mark.slow
def test_a_block_without_the_speed_of_the_machine_does_not_count_and_a_figure_without_any_block_says_so(
    tmp_path: Path,
) -> None:
    for number in (1, 2, 3):
        write_block(tmp_path, number)
    unknown = {"slowness_ms": None, "idle_slowness_ms": None}
    change(tmp_path / "round-1", lambda run: msgspec.structs.replace(run, **unknown), arch="redis")
    for figure in fixed_and_marginal(tmp_path):
        assert {each.blocks for each in figure.contrasts} == {figure.blocks} == {2}
    change(tmp_path, lambda run: msgspec.structs.replace(run, **unknown), arch="redis")
    for figure in fixed_and_marginal(tmp_path):
        assert figure.values.keys() == {"plan1"}
        assert figure.left_out == {"redis": "not measured"}
    change(
        tmp_path / "round-1",
        lambda run: msgspec.structs.replace(run, slowness_ms=1.0, idle_slowness_ms=1.0),
        arch="redis",
    )
    change(tmp_path / "round-1", lambda run: msgspec.structs.replace(run, **unknown), arch="plan1")
    for figure in fixed_and_marginal(tmp_path):
        assert figure.values.keys() == {"plan1"}
        assert figure.left_out == {"redis": "measured in only 1 of 3 blocks"}
