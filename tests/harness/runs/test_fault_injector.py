"""Faults come and go at their times, at what the stack says they are about."""

from __future__ import annotations

import time
from typing import cast

import pytest

from harness.core.errors import ServiceFailed
from harness.core.faults import parse_fault
from harness.runs.fault_injector import Injector
from harness.services.processes import Child
from harness.services.proxy import Proxy

LONG_S = 60.0


class NotedChild:
    """It notes what is done to it."""

    def __init__(self, name: str, noted: list[str]) -> None:
        self._name = name
        self._noted = noted
        self.pid = 1

    def pause(self) -> None:
        self._noted.append(f"pause {self._name}")

    def resume(self) -> None:
        self._noted.append(f"resume {self._name}")

    def kill(self) -> None:
        self._noted.append(f"kill {self._name}")


class NotedProcesses:
    def __init__(self, name: str, noted: list[str]) -> None:
        self.children = cast("list[Child]", [NotedChild(f"{name} {index}", noted) for index in range(2)])
        self._name = name
        self._noted = noted

    def start_again(self, index: int) -> None:
        self._noted.append(f"start {self._name} {index}")


class NotedProxy:
    def __init__(self, name: str, noted: list[str], open_connections: int) -> None:
        self.child = NotedChild(name, noted)
        self._open_connections = open_connections

    def reset(self, _pid: int) -> int:
        return self._open_connections


class NotedTargets:
    """Whatever is asked for is there."""

    def __init__(self, open_connections: int = 1) -> None:
        self.noted: list[str] = []
        self._open_connections = open_connections

    def let_gateways_end(self) -> None:
        pass

    def processes(self, target: str) -> NotedProcesses:
        return NotedProcesses(target, self.noted)

    def proxy(self, target: str) -> Proxy:
        return cast("Proxy", NotedProxy(target, self.noted, self._open_connections))


def injected(targets: NotedTargets, *specs: str, began_s_ago: float) -> Injector:
    """An injector in a measurement that began so long ago, after all that was due by now was done."""
    faults = [parse_fault(spec, LONG_S) for spec in specs]
    injector = Injector(faults, targets, slow_down=lambda _lasts_s: None, began=lambda _at_ns: None)
    injector.arm(time.time_ns() - round(began_s_ago * 1e9))
    injector.work()
    return injector


@pytest.mark.parametrize(
    ("spec", "begins", "ends"),
    [
        ("pause:redis:30s@1s", ["pause redis 0"], ["resume redis 0"]),
        ("cut:gateway-broker:30s@1s", ["pause gateway-broker"], ["resume gateway-broker"]),
        ("restart:gateway:30s@1s", ["kill gateway 0"], ["start gateway 0"]),
        ("kill:nats@1s", ["kill nats 0"], []),
    ],
)
def test_a_fault_breaks_the_first_of_its_target_and_is_mended(spec: str, begins: list[str], ends: list[str]) -> None:
    targets = NotedTargets()
    injector = injected(targets, spec, began_s_ago=2)
    assert targets.noted == begins
    injector.mend()
    assert targets.noted == begins + ends


def test_a_fault_that_is_not_due_yet_is_not_begun_when_the_load_ends() -> None:
    targets = NotedTargets()
    injector = injected(targets, "pause:redis@20s", began_s_ago=2)
    injector.mend()
    assert (targets.noted, injector.happened()) == ([], [])


def test_what_was_killed_is_known_by_its_target_even_after_it_was_started_again() -> None:
    faults = ("kill:broker@1s", "restart:redis@1s", "pause:nats@1s", "cut:gateway-nats@1s", "restart:gateway@20s")
    assert injected(NotedTargets(), *faults, began_s_ago=2).killed() == {"broker", "redis"}


def test_a_reset_that_closed_no_connection_fails_the_run() -> None:
    with pytest.raises(ServiceFailed, match="reset:gateway-redis: the first gateway had no connection"):
        injected(NotedTargets(open_connections=0), "reset:gateway-redis@1s", began_s_ago=2)
