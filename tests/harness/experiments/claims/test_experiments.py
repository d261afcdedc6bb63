"""The runs behind the claims can be made, however long they are asked to last."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.core.faults import parse_fault
from harness.experiments.claims.catalogue import CLAIMS
from harness.experiments.claims.experiments import ClaimsPlan
from harness.experiments.claims.study import planned_runs


@pytest.mark.parametrize("duration_s", [1.0, 7.0, ClaimsPlan().duration_s, 60.0])
def test_every_run_of_every_claim_is_one_that_chatbench_makes(duration_s: float, tmp_path: Path) -> None:
    planned = planned_runs(ClaimsPlan(duration_s=duration_s), tmp_path)
    assert {each.name.partition(":")[0] for each in planned} == {name for claim in CLAIMS for name in claim.experiments}


def test_a_measurement_lasts_until_the_backend_has_recovered(tmp_path: Path) -> None:
    broken = [each.settings for each in planned_runs(ClaimsPlan(duration_s=1.0), tmp_path) if each.settings.faults]
    assert {each.arch for each in broken} == {"redis", "kafka-redis", "plan2", "kafka-broadcast"}
    for settings in broken:
        (spec,) = settings.faults
        fault = parse_fault(spec, settings.duration_s)
        assert settings.duration_s == fault.over_s + fault.follows_s
