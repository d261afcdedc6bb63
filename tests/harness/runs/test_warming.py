"""When backends count as warm."""

from __future__ import annotations

import pytest

from harness.runs.warming import Warming


@pytest.mark.parametrize(
    ("windows", "flat"),
    [([], False), ([50.0, 50.0], False), ([90.0, 50.0, 51.0, 50.5], True), ([90.0, 50.0, 51.0, 53.0], False)],
)
def test_without_a_compiler_to_see_three_windows_that_agree_within_five_percent_are_flat(
    windows: list[float], flat: bool
) -> None:
    assert Warming(architecture="plan1", cpu_us_per_message=windows).is_flat is flat


@pytest.mark.parametrize(
    ("shares", "flat"),
    [([0.5, 0.5, 0.5], False), ([0.0, 0.0], False), ([0.3, 0.06, 0.05, 0.03], True), ([0.0, 0.0, 0.3], False)],
)
def test_backends_are_flat_once_the_compiler_has_little_to_do(shares: list[float | None], flat: bool) -> None:
    for machine in (1.0, 1.5):  # however fast it is in the last window
        windows = [50.0] * (len(shares) - 1) + [50.0 * machine]
        warming = Warming(architecture="plan1", cpu_us_per_message=windows, compiler_share=shares)
        assert warming.is_flat is flat


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
