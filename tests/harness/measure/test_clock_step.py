"""A stepped clock is detected; a slewed clock and this machine's real clock are not."""

from __future__ import annotations

import pytest

from harness.measure.clock_step import ClockWatch

MS = 1_000_000


class Clocks:
    def __init__(self) -> None:
        self.monotonic_ns = 0
        self.wall_ns = 10**18
        self.watch = ClockWatch(lambda: self.wall_ns, lambda: self.monotonic_ns)

    def run(self, ms: float, *, wall_faster: float = 0.0) -> None:
        self.monotonic_ns += round(ms * MS)
        self.wall_ns += round(ms * MS * (1 + wall_faster))


@pytest.mark.parametrize("step_ms", [-3_600_000, -5, 5, 3_600_000])
def test_a_step_is_told_once_with_its_size(step_ms: int) -> None:
    clocks = Clocks()
    clocks.watch.stepped_ns()
    clocks.run(20)
    clocks.wall_ns += step_ms * MS
    assert clocks.watch.stepped_ns() == abs(step_ms) * MS
    clocks.run(20)
    assert clocks.watch.stepped_ns() == 0


def test_a_gradual_correction_is_no_step_however_seldom_one_looks() -> None:
    clocks = Clocks()
    clocks.watch.stepped_ns()
    for ms in (20, 20, 60_000):
        clocks.run(ms, wall_faster=0.0005)
        assert clocks.watch.stepped_ns() == 0


def test_clocks_that_were_read_far_apart_say_nothing() -> None:
    times = iter([0, 0, 50, 50 + MS])  # the process stood still between the two readings of the second look
    watch = ClockWatch(lambda: 10**18, lambda: next(times))
    assert watch.stepped_ns() == 0
    assert watch.stepped_ns() == 0
