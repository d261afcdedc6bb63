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


def checks_of(folder: Path, *, dearer: float = 1.0, valid: bool = True) -> list[Check]:
    """Of four blocks of two architectures under two labels; A is so many times as dear as B while nobody writes."""
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
                        idle_cpu_ms_per_s={"gateway": cost_us * noise * (dearer if label == "A" else 1)},
                        driver=DriverVerdict(valid=valid, why=None if valid else "late"),
                    )
    return list(aa_test.checks_of(read_records([folder])))


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


def test_a_difference_between_equals_is_named_with_its_pair_and_its_figure(tmp_path: Path) -> None:
    checks = checks_of(tmp_path, dearer=1.5)
    assert sum(check.held is False for check in checks) == 2
    said = aa_test.summed_up(checks)
    assert "fixed cost: CPU while nobody writes: plan1 (A) over plan1 (B), 1.5" in said
    assert "better" in said


def test_what_could_not_be_measured_is_neither_held_nor_wrong(tmp_path: Path) -> None:
    checks = checks_of(tmp_path, valid=False)
    assert {check.held for check in checks} == {True, None}
    assert all("latency" in check.what for check in checks if check.held is None)
    assert aa_test.summed_up(checks).endswith("; 4 figures could not be measured.")


def test_its_plan_is_that_of_a_comparison() -> None:
    campaign = aa_test.campaign_of(aa_test.Effort(("direct", "redis")), "results")
    check(campaign)
    assert [str(each) for each in campaign.variants[:4]] == ["direct (A)", "direct (B)", "direct (C)", "redis (A)"]


@pytest.mark.parametrize(("given", "says"), [({"rounds": 1}, "--rounds is 1"), ({"names": 1}, "--names is 1")])
def test_one_block_or_one_name_decides_nothing(given: dict[str, int], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        aa_test.campaign_of(aa_test.Effort(("direct",), **given), "results")
