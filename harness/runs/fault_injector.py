"""Breaks the parts of a run at the times of its faults, and mends them."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from harness.core.errors import ServiceFailed
from harness.core.faults import Fault, Happened
from harness.services.processes import Child
from harness.services.run_stack import Targets


@dataclass(slots=True)
class _Pending:
    at_ns: int
    do: Callable[[], None]


class Injector:
    """Breaks and mends the parts of a run, when `work` is called at the right moments."""

    def __init__(
        self,
        faults: Iterable[Fault],
        targets: Targets,
        slow_down: Callable[[float], None],
        began: Callable[[int], None],
    ) -> None:
        """`slow_down` slows some members down for so many seconds; `began` is told the time of each fault, in ns."""
        self.faults = sorted(faults, key=lambda fault: fault.at_s)
        self._targets = targets
        self._slow_down = slow_down
        self._told = began
        self._start_ns = 0
        self._pending: list[_Pending] = []
        self._began_ns: dict[Fault, int] = {}
        self._ended_ns: dict[Fault, int] = {}

    def arm(self, start_ns: int) -> None:
        """Schedule the faults of a measurement that begins at that time."""
        self._start_ns = start_ns
        self._pending = [
            _Pending(start_ns + round(fault.at_s * 1e9), functools.partial(self._begin, fault)) for fault in self.faults
        ]

    def work(self) -> float:
        """Do what is due; returns the seconds until something will be due again, at most 0.1."""
        while self._pending and time.time_ns() >= self._pending[0].at_ns:
            self._pending.pop(0).do()
        if not self._pending:
            return 0.1
        return min(0.1, max(0.001, (self._pending[0].at_ns - time.time_ns()) / 1e9))

    def mend(self) -> None:
        """End what is still to end, and begin nothing more: the load is over, perhaps before its time."""
        self._pending.clear()
        for fault in self._began_ns.keys() - self._ended_ns.keys():
            if fault.lasts_s is not None:
                self._end(fault)

    def killed(self) -> set[str]:
        """The targets that were killed so far, whether or not they were started again."""
        return {fault.target for fault in self._began_ns if fault.action in {"kill", "restart"}}

    def happened(self) -> list[Happened]:
        """The faults that came so far, in the order in which they began."""

        def since(moment_ns: int | None) -> float | None:
            return None if moment_ns is None else round((moment_ns - self._start_ns) / 1e9, 3)

        return [
            Happened(fault, began_s=since(began_ns) or 0.0, ended_s=since(self._ended_ns.get(fault)))
            for fault, began_ns in self._began_ns.items()
        ]

    def _begin(self, fault: Fault) -> None:
        self._targets.let_gateways_end()
        self._began_ns[fault] = time.time_ns()
        self._told(self._began_ns[fault])
        match fault.action:
            case "slow":
                self._slow_down(fault.lasts_s or 0.0)
            case "pause":
                self._first(fault).pause()
            case "cut":
                self._targets.proxy(fault.target).child.pause()
            case "reset":
                self._reset(fault)
            case _:
                self._first(fault).kill()
        if fault.lasts_s is not None:
            self._pending.append(
                _Pending(self._began_ns[fault] + round(fault.lasts_s * 1e9), functools.partial(self._end, fault))
            )
            self._pending.sort(key=lambda pending: pending.at_ns)

    def _end(self, fault: Fault) -> None:
        match fault.action:
            case "pause":
                self._first(fault).resume()
            case "cut":
                self._targets.proxy(fault.target).child.resume()
            case "restart":
                self._targets.processes(fault.target).start_again(0)
        self._ended_ns[fault] = time.time_ns()

    def _first(self, fault: Fault) -> Child:
        """The process that the fault breaks."""
        return self._targets.processes(fault.target).children[0]

    def _reset(self, fault: Fault) -> None:
        """Close the first gateway's connections. Raises ServiceFailed if it had none: nothing would be tested."""
        gateway = self._targets.processes("gateway").children[0]
        if not self._targets.proxy(fault.target).reset(gateway.pid):
            raise ServiceFailed(f"--fault {fault.kind}: the first gateway had no connection that could be closed")
