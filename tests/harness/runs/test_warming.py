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


@pytest.mark.parametrize(("compiler_ms_per_s", "quiet"), [([], False), ([80.0], False), ([80.0, 0.4], True)])
def test_backends_are_quiet_once_the_compiler_is_idle(compiler_ms_per_s: list[float | None], quiet: bool) -> None:
    falling = [200.0, 90.0][: len(compiler_ms_per_s)]
    warming = Warming(
        architecture="plan1",
        cpu_us_per_message=[],
        idle_cpu_ms_per_s=falling,
        idle_compiler_ms_per_s=compiler_ms_per_s,
    )
    assert warming.is_quiet is quiet


@pytest.mark.parametrize(("idle", "quiet"), [([60.0], False), ([60.0, 50.0], False), ([60.0, 50.0, 48.0], True)])
def test_where_the_compiler_cannot_be_seen_idle_windows_must_stop_falling(idle: list[float], quiet: bool) -> None:
    unknown: list[float | None] = [None] * len(idle)
    warming = Warming(
        architecture="plan1", cpu_us_per_message=[], idle_cpu_ms_per_s=idle, idle_compiler_ms_per_s=unknown
    )
    assert warming.is_quiet is quiet
