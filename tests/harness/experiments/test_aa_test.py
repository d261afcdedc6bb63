"""The A/A test calls nothing better than itself, and says so where something is."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.core.errors import UsageError
from harness.experiments import aa_test
from harness.experiments.campaign import check
from harness.experiments.selftest import Check
from harness.measure.validity import DriverVerdict
from harness.results.frames import read_records
from tests.harness.report.records import write_record


def checks_of(
    folder: Path, *, dearer: float = 1.0, valid: bool = True, sent: int = 1_000, lost: str = ""
) -> list[Check]:
    """Of four blocks of two architectures under two labels; A is so many times as dear as B while nobody writes.

    Under the label `lost`, one delivery is lost in each run of plan1.
    """
    for number in range(1, 5):
        block = folder / f"round-{number}"
        block.mkdir()
        for arch, cost_us in (("plan1", 20.0), ("redis", 10.0)):
            for place, label in enumerate("AB"):
                noise = 1 + ((number * (3 + place)) % 5) / 300
                for rate_per_s in (20.0, 100.0):
                    write_record(
                        block,
                        arch,
                        settings={"label": label},
                        cost_us=cost_us * noise,
                        rate_per_s=rate_per_s,
                        sent=sent,
                        lost=int(arch == "plan1" and label == lost),
                        idle_cpu_ms_per_s={
                            "gateway": cost_us * noise * (dearer if label == "A" else 1),
                            "redis" if arch == "redis" else "kafka": 0.0,
                        },
                        driver=DriverVerdict(valid=valid, why=None if valid else "late"),
                    )
    return list(aa_test.checks_of(read_records([folder])))


@pytest.mark.slow
def test_equals_are_never_better_and_only_pairs_of_equals_are_judged(tmp_path: Path) -> None:
    checks = checks_of(tmp_path)
    assert {check.held for check in checks} == {True}
    fixed = [check.what.partition(": ")[2] for check in checks if check.what.startswith("fixed cost")]
    assert sorted(what.partition(": ")[2] for what in fixed) == [
        "plan1 (A) over plan1 (B)",
        "redis (A) over redis (B)",
    ]
    said = f"Nothing was called better than itself: {len(checks)} of {len(checks)} answers are equal within 10 %"
    assert aa_test.summed_up(checks).startswith(said)


@pytest.mark.slow
def test_a_difference_between_equals_is_named_with_its_pair_and_its_figure(tmp_path: Path) -> None:
    checks = checks_of(tmp_path, dearer=1.5)
    assert sum(check.held is False for check in checks) == 2
    said = aa_test.summed_up(checks)
    assert "fixed cost: CPU while nobody writes: plan1 (A) over plan1 (B), 1.5" in said
    assert "better" in said


def test_what_could_not_be_measured_is_neither_held_nor_wrong(tmp_path: Path) -> None:
    checks = checks_of(tmp_path, valid=False)
    assert {check.held for check in checks} == {True, None}
    missing = [check for check in checks if check.held is None]
    assert all("latency" in check.what and not check.too_short for check in missing)
    assert len(missing) == 2 * 4, "two pairs in four figures"
    assert "; 8 figures of pairs were not judged (p50 delivery latency at 20 msg/s: " in aa_test.summed_up(checks)


@pytest.mark.slow
def test_a_percentile_that_too_few_messages_support_is_said_not_to_be_judged(tmp_path: Path) -> None:
    missing = [check for check in checks_of(tmp_path, sent=100) if check.held is None]
    pairs = ("plan1 (A) over plan1 (B)", "redis (A) over redis (B)")
    rates = (20, 100)
    assert sorted(check.what for check in missing) == sorted(
        f"p99 delivery latency at {rate} msg/s: {pair}" for rate in rates for pair in pairs
    )
    assert {(check.reported, check.too_short) for check in missing} == {("n/a: 400 messages, 1,000 needed", True)}


@pytest.mark.slow
def test_a_pair_of_which_one_lost_messages_is_said_not_to_be_judged(tmp_path: Path) -> None:
    (missing,) = [check for check in checks_of(tmp_path, lost="A") if check.held is None]
    assert missing.what == "every figure: plan1 (A) over plan1 (B)"
    assert missing.reported == "plan1 (A) is out: 8 of 8,000 deliveries were lost."


def test_where_nothing_was_judged_nothing_is_said_to_be_equal(tmp_path: Path) -> None:
    write_record(tmp_path, "redis", settings={"label": "A"})
    write_record(tmp_path, "redis", settings={"label": "B"}, lost=1)
    said = aa_test.summed_up(list(aa_test.checks_of(read_records([tmp_path]))))
    assert said.startswith("Nothing was judged, so that this test says nothing")
    assert "redis (B) is out: 1 of 1,000 deliveries were lost" in said
    assert aa_test.summed_up([]).startswith("Nothing was judged")


def test_its_plan_is_that_of_a_comparison() -> None:
    campaign = aa_test.campaign_of(aa_test.Effort(("direct", "redis")), "results")
    check(campaign)
    assert [str(each) for each in campaign.variants[:4]] == ["direct (A)", "direct (B)", "direct (C)", "redis (A)"]


@pytest.mark.parametrize(("given", "says"), [({"rounds": 1}, "--rounds is 1"), ({"names": 1}, "--names is 1")])
def test_one_block_or_one_name_decides_nothing(given: dict[str, int], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        aa_test.campaign_of(aa_test.Effort(("direct",), **given), "results")
