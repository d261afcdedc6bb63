"""Breaking the parts of a run, and mending them."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from harness.core.errors import ServiceFailed
from harness.core.faults import Fault, Happened
from harness.services.processes import Child
from harness.services.proxy import Proxy
from harness.services.stack import Stack


@dataclass(slots=True)
class _Pending:
    at_ns: int
    do: Callable[[], None]


class Injector:
    """Breaks and mends the parts of a run, when `work` is called at the right moments."""

    def __init__(
        self,
        faults: Iterable[Fault],
        stack: Stack,
        slow_down: Callable[[float], None],
        began: Callable[[int], None],
    ) -> None:
        """`slow_down` makes some members slow for so many seconds; `began` is told the moment of each fault."""
        self.faults = sorted(faults, key=lambda fault: fault.at_s)
        self._stack = stack
        self._slow_down = slow_down
        self._told = began
        self._start_ns = 0
        self._pending: list[_Pending] = []
        self._began_ns: dict[Fault, int] = {}
        self._ended_ns: dict[Fault, int] = {}

    def arm(self, start_ns: int) -> None:
        """The measurement begins at that moment."""
        self._start_ns = start_ns
        self._pending = [
            _Pending(start_ns + round(fault.at_s * 1e9), functools.partial(self._begin, fault)) for fault in self.faults
        ]

    def work(self) -> float:
        """Do what is due; returns in how many seconds something will be, at most 0.1."""
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

    def happened(self) -> list[Happened]:
        def since(moment_ns: int | None) -> float | None:
            return None if moment_ns is None else round((moment_ns - self._start_ns) / 1e9, 3)

        return [
            Happened(fault, began_s=since(began_ns) or 0.0, ended_s=since(self._ended_ns.get(fault)))
            for fault, began_ns in self._began_ns.items()
        ]

    def _begin(self, fault: Fault) -> None:
        assert self._stack.fleet is not None
        self._stack.fleet.let_end()
        self._began_ns[fault] = time.time_ns()
        self._told(self._began_ns[fault])
        match fault.action:
            case "slow":
                self._slow_down(fault.lasts_s or 0.0)
            case "pause" | "cut":
                for child in self._victims(fault):
                    child.pause()
            case "reset":
                self._reset(fault)
            case _:
                for child in self._victims(fault):
                    child.kill()
        if fault.lasts_s is not None:
            self._pending.append(
                _Pending(self._began_ns[fault] + round(fault.lasts_s * 1e9), functools.partial(self._end, fault))
            )
            self._pending.sort(key=lambda pending: pending.at_ns)

    def _end(self, fault: Fault) -> None:
        match fault.action:
            case "pause" | "cut":
                for child in self._victims(fault):
                    child.resume()
            case "restart":
                self._start_again(fault.target)
        self._ended_ns[fault] = time.time_ns()

    def _victims(self, fault: Fault) -> Iterator[Child]:
        stack = self._stack
        match fault.target:
            case "gateway" if stack.fleet is not None:
                yield stack.fleet.children[0]
            case "broker" if stack.kafka is not None:
                yield stack.kafka.children[0]
            case "redis" if stack.redis is not None:
                yield stack.redis.child
            case "nats" if stack.nats is not None:
                yield stack.nats.child
            case _ if (proxy := self._proxy(fault)) is not None:
                yield proxy.child

    def _proxy(self, fault: Fault) -> Proxy | None:
        """On the way that is cut, or whose connections are closed."""
        backends = self._stack.backends
        return {
            "gateway-broker": backends.kafka_proxy,
            "gateway-redis": self._stack.redis_proxy,
            "gateway-nats": backends.nats_proxy,
        }.get(fault.target)

    def _reset(self, fault: Fault) -> None:
        """Of the first gateway. Raises ServiceFailed where nothing was closed, and so nothing would be tested."""
        fleet, proxy = self._stack.fleet, self._proxy(fault)
        if fleet is None or proxy is None or not proxy.reset(fleet.children[0].pid):
            raise ServiceFailed(f"--fault {fault.kind}: the first gateway had no connection that could be closed")

    def _start_again(self, target: str) -> None:
        stack = self._stack
        match target:
            case "gateway" if stack.fleet is not None:
                stack.fleet.start_again(0)
            case "broker" if stack.kafka is not None:
                stack.kafka.start_again(0)
            case "redis" if stack.redis is not None:
                stack.redis.start_again()
            case "nats" if stack.nats is not None:
                stack.nats.start_again()
