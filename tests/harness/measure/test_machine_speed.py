"""The speed of the machine, by a fixed piece of work."""

from __future__ import annotations

import pytest

from harness.measure.machine_speed import slowness_ms


def test_slowness_is_the_cpu_time_of_one_of_a_hundred_pieces_a_second() -> None:
    assert slowness_ms(cpu_s=0.06, duration_s=4.0) == pytest.approx(0.15)
