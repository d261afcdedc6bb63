"""The phases of a run, with a driver and a stack that are made up."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import Any

import pytest

from harness.core.settings import RunSettings
from harness.ipc import messages as msg
from harness.load.merge import merge
from harness.measure.resources import CpuUsed
from harness.runs.measurement import Run
from tests.harness.load.test_merge import FACTS, audience

WARMUP_S = 0.05


class Driver:
    """Ends each phase when it is due, with a result in which nothing was sent."""

    def send(self, order: msg.BeginPhase) -> None:
        self._end_ns = order.end_ns

    def receive(self, timeout_s: float) -> msg.PhaseResult | None:
        if time.time_ns() > self._end_ns + 50_000_000:
            return merge(FACTS, [audience([0], []).report()], [])
        time.sleep(min(timeout_s, 0.01))
        return None


def ignore(*_args: object, **_kwargs: object) -> None:
    pass


@pytest.mark.parametrize(("is_local", "readings"), [(True, 2), (False, 0)])
def test_gateways_on_other_hosts_are_not_asked_for_the_cpu_time_of_a_warm_up(is_local: bool, readings: int) -> None:
    read: list[CpuUsed] = []

    def cpu() -> CpuUsed:
        read.append(CpuUsed({}, {}, {}))
        return read[-1]

    meter = SimpleNamespace(is_local=is_local, cpu=cpu)
    record = SimpleNamespace(settings=RunSettings(arch="plan1", warmup_s=WARMUP_S), scenario="big_room")
    progress, watch = SimpleNamespace(step=ignore, update=ignore), SimpleNamespace(begin=ignore)
    stack: Any = SimpleNamespace(meter=lambda: meter)
    architecture: Any = object
    run = Run(stack, record, architecture, progress, watch)  # type: ignore[arg-type]  # as far as a warm-up uses them
    driver: Any = Driver()
    run.warm_up(driver)
    assert len(read) == readings
