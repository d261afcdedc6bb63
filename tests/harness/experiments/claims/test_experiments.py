"""The runs behind the claims can be made, however long they are asked to last."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.core.faults import parse_fault
from harness.core.registry import candidates
from harness.experiments.claims.catalogue import CLAIMS
from harness.experiments.claims.experiments import WARMING, ClaimsPlan
from harness.experiments.claims.study import planned_runs


@pytest.mark.parametrize("duration_s", [1.0, 7.0, ClaimsPlan().duration_s, 60.0])
def test_every_run_of_every_claim_is_one_that_chatbench_makes(duration_s: float, tmp_path: Path) -> None:
    planned = planned_runs(ClaimsPlan(duration_s=duration_s), tmp_path)
    names = {each.name.partition(":")[0] for each in planned}
    assert names == {WARMING, *(name for claim in CLAIMS for name in claim.experiments)}


def test_brokers_are_warm_before_anything_is_compared_on_them(tmp_path: Path) -> None:
    planned = planned_runs(ClaimsPlan(claims=("C2", "C4")), tmp_path)
    for brokers in (1, 3):
        first, *others = [each for each in planned if each.settings.brokers == brokers]
        assert first.name.startswith(WARMING)
        assert not any(each.name.startswith(WARMING) for each in others)
    assert not any(each.name.startswith(WARMING) for each in planned_runs(ClaimsPlan(claims=("C1",)), tmp_path))


def test_the_huge_room_has_thousands_of_members_and_every_architecture(tmp_path: Path) -> None:
    planned = [each.settings for each in planned_runs(ClaimsPlan(claims=("C6",)), tmp_path) if "huge" in each.name]
    assert {each.arch for each in planned} == set(candidates())
    assert min(each.members for each in planned) >= 2_000


def test_a_measurement_lasts_until_the_backend_has_recovered(tmp_path: Path) -> None:
    broken = [each.settings for each in planned_runs(ClaimsPlan(duration_s=1.0), tmp_path) if each.settings.faults]
    assert {each.arch for each in broken} == {"redis", "kafka-redis", "plan2", "kafka-broadcast"}
    for settings in broken:
        (spec,) = settings.faults
        fault = parse_fault(spec, settings.duration_s)
        assert settings.duration_s == fault.over_s + fault.follows_s
