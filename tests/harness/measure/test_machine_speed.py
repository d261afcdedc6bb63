"""The speed of the machine, by a fixed piece of work."""

from __future__ import annotations

from harness.measure.machine_speed import slowness_ms


def test_the_same_work_takes_some_time_and_hardly_another_time_twice() -> None:
    times_ms = [slowness_ms() for _ in range(3)]
    assert min(times_ms) > 0
    assert max(times_ms) < 10 * min(times_ms)
