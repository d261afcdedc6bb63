"""The phases of a turn, in order, and a scenario that ends the load before all rates were measured."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from harness.core.errors import UsageError
from harness.runs.turn import Turn, _measure

NOTHING: Any = None  # the driver, which the runs below do not use


class FakeRun:
    """Notes what it is told to do."""

    def __init__(self, did: list[str], *, ends: bool) -> None:
        self._did = did
        self._ends = ends
        self.load_ended = False

    def join(self, _driver: object) -> None:
        self._did.append("join")

    def warm_up(self, _driver: object, rate_scale: float) -> None:
        self._did.append(f"warm up x{rate_scale:g}")

    def observe_idle(self, _driver: object, duration_s: float) -> object:
        self._did.append("idle")
        return f"used in {duration_s:g} s"

    def measure(self, _driver: object, rate_scale: float = 1.0) -> None:
        self._did.append(f"measure x{rate_scale:g}")
        self.load_ended = self._ends


def turn_at(*rates_per_s: float) -> Turn:
    records: Any = [SimpleNamespace(settings=SimpleNamespace(rate_per_s=rate)) for rate in rates_per_s]
    return Turn(NOTHING, NOTHING, records, idle_s=2.0)


def test_members_join_once_and_are_measured_idle_and_at_each_rate() -> None:
    did: list[str] = []
    runs: Any = [FakeRun(did, ends=False) for _ in range(2)]
    used: Any = _measure(turn_at(20, 100), runs, NOTHING)
    assert used == "used in 2 s"
    assert did == ["join", "warm up x5", "measure x1", "idle", "measure x5"]


def test_a_single_load_comes_after_the_idle_time_because_it_may_leave_nobody() -> None:
    did: list[str] = []
    runs: Any = [FakeRun(did, ends=True)]
    assert _measure(turn_at(20), runs, NOTHING) == "used in 2 s"  # type: ignore[comparison-overlap]  # FakeRun says so
    assert did == ["join", "warm up x1", "idle", "measure x1"]


def test_a_scenario_that_ends_the_load_leaves_nobody_for_the_next_rate() -> None:
    did: list[str] = []
    runs: Any = [FakeRun(did, ends=True) for _ in range(2)]
    with pytest.raises(UsageError, match="compare one --rate at a time"):
        _measure(turn_at(20, 100), runs, NOTHING)
    assert did[-1] == "measure x1"
    _measure(turn_at(20), runs[1:], NOTHING)
