"""When backends count as warm."""

from __future__ import annotations

import pytest

from harness.runs.warming import Warming


@pytest.mark.parametrize(
    ("windows", "flat"),
    [([], False), ([50.0, 50.0], False), ([90.0, 50.0, 51.0, 50.5], True), ([90.0, 50.0, 51.0, 53.0], False)],
)
def test_three_windows_that_agree_within_five_percent_are_flat(windows: list[float], flat: bool) -> None:
    assert Warming(architecture="plan1", cpu_us_per_message=windows).is_flat is flat
