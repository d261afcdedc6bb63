"""The process beside a measurement by which one can tell how slow the machine was in it."""

from __future__ import annotations

import sys
from pathlib import Path
from types import TracebackType

from harness.measure.resources import NANOSECOND_S, Processes
from harness.services.processes import Child, spawn

NAME = "speed probe"


class SpeedProbe:
    """Runs harness.measure.machine_speed within a `with` block; it dies with this process."""

    def __init__(self, logs: Path) -> None:
        self._log = logs / "speed-probe.log"
        self._child: Child | None = None
        self._processes = Processes({})

    def __enter__(self) -> SpeedProbe:
        self._child = spawn(NAME, [sys.executable, "-m", "harness.measure.machine_speed"], self._log)
        self._processes = Processes({NAME: [self._child.pid]})
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._child is not None:
            self._child.kill()
        self._child = None

    def cpu_s(self) -> float | None:
        """Return its CPU time so far, in seconds; raises ServiceFailed if it has ended.

        None: it does not run, or the kernel counts in units that are too coarse for so little work.
        """
        if self._child is None or self._processes.resolution_s[NAME] > NANOSECOND_S:
            return None
        self._child.check()
        return self._processes.cpu_s().get(NAME)
