"""The process by which one can tell how slow the machine was."""

from __future__ import annotations

import time
from pathlib import Path

import psutil
import pytest

from harness.core.errors import ServiceFailed
from harness.measure.machine_speed import slowness_ms
from harness.services.speed_probe import SpeedProbe


def test_it_uses_little_cpu_time_while_it_runs_and_none_is_known_before(tmp_path: Path) -> None:
    probe = SpeedProbe(tmp_path)
    assert probe.cpu_s() is None
    with probe:
        before_s = working_s(probe, more_than_s=0.0)
        after_s = working_s(probe, more_than_s=before_s)
    assert (slowness_ms(after_s - before_s, 1.0) or 0) > 0
    assert probe.cpu_s() is None


def working_s(probe: SpeedProbe, more_than_s: float) -> float:
    for _ in range(1_000):
        if (used_s := probe.cpu_s()) is not None and used_s > more_than_s:
            return used_s
        time.sleep(0.01)
    raise AssertionError("it does no work")


def test_one_that_was_killed_is_not_taken_for_a_fast_machine(tmp_path: Path) -> None:
    with SpeedProbe(tmp_path) as probe:
        (child,) = [each for each in psutil.Process().children() if each.cmdline()[-1].endswith("machine_speed")]
        child.kill()
        with pytest.raises(ServiceFailed, match="speed probe was killed by SIGKILL"):
            for _ in range(1_000):
                probe.cpu_s()
                time.sleep(0.01)
