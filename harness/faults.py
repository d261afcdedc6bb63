"""What can be broken during a measurement.

    kill:gateway      its process is killed, and stays dead           kill:broker (of three), kill:redis, kill:nats
    restart:redis     killed, and started again after the duration    restart:gateway, restart:broker, restart:nats
    pause:redis:5s    stopped for so long (SIGSTOP)                   pause:gateway, pause:broker, pause:nats
    cut:gateway-broker:5s   nothing passes between the two; connections stay open      cut:gateway-redis, -nats
    slow:members:5s   one in ten members reads nothing

Where there are several gateways or brokers, it is the first that is broken; a cut is between all and all.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

import msgspec

from architectures.interface import Contender
from harness.errors import UsageError
from harness.quantities import parse_duration

TARGETS = {
    "kill": ("gateway", "broker", "redis", "nats"),
    "restart": ("gateway", "broker", "redis", "nats"),
    "pause": ("gateway", "broker", "redis", "nats"),
    "cut": ("gateway-broker", "gateway-redis", "gateway-nats"),
    "slow": ("members",),
}
LASTS_S = {"kill": None, "restart": 0.0, "pause": 5.0, "cut": 5.0, "slow": 5.0}
LASTS_MAX_S = 600.0
SPEC = re.compile(r"(?P<action>[a-z]+):(?P<target>[a-z-]+)(:(?P<lasts>[^@:]+))?(@(?P<at>.+))?")
KNOWN = ", ".join(f"{action}:{target}" for action, targets in TARGETS.items() for target in targets)


class Fault(msgspec.Struct, frozen=True):
    action: str
    target: str
    lasts_s: float | None  # None: for good
    at_s: float  # since the measurement began

    @property
    def kind(self) -> str:
        """What it is, whenever and however long: as Promises.survives names it."""
        return f"{self.action}:{self.target}"

    def __str__(self) -> str:
        lasts = f":{self.lasts_s:g}s" if self.lasts_s else ""
        return f"{self.kind}{lasts}@{self.at_s:g}s"


def parse_fault(spec: str, duration_s: float) -> Fault:
    """ACTION:TARGET[:DURATION][@TIME]; without a time it comes when a third of the measurement is over.

    Raises UsageError.
    """
    found = SPEC.fullmatch(spec)
    if found is None or found["target"] not in TARGETS.get(found["action"], ()):
        raise UsageError(f"--fault is {spec!r}, but it must be one of {KNOWN}, as in pause:redis:5s@10s")
    action = found["action"]
    if action == "kill" and found["lasts"]:
        raise UsageError(f"--fault is {spec!r}, but what is killed stays so; use restart:{found['target']}")
    lasts_s = _duration(spec, found["lasts"]) if found["lasts"] else LASTS_S[action]
    at_s = _duration(spec, found["at"]) if found["at"] else duration_s / 3
    if (lasts_s or 0) > LASTS_MAX_S or at_s + (lasts_s or 0) >= duration_s:
        raise UsageError(
            f"--fault {spec} would not be over when the measurement is, after {duration_s:g} s; "
            "let it come earlier or last shorter, or use a longer --duration"
        )
    return Fault(action, found["target"], lasts_s, at_s)


def _duration(spec: str, text: str) -> float:
    try:
        seconds = parse_duration(text)
        if not seconds >= 0:
            raise ValueError(text)
        return seconds
    except ValueError as problem:
        raise UsageError(
            f"--fault is {spec!r}, but {text!r} is no duration; write it as in pause:redis:5s@10s"
        ) from problem


def check_fault(fault: Fault, architecture: type[Contender], gateways: int, brokers: int) -> None:
    """Raise UsageError where there is nothing to break so, or nobody would be left."""
    requires = architecture.requires
    for part, required in (("broker", requires.kafka), ("redis", requires.any_redis), ("nats", requires.nats)):
        if part in fault.target and not required:
            raise UsageError(f"--fault {fault.kind}: {architecture.name} has no {part}; leave it out")
    if fault.kind == "kill:broker" and brokers == 1:
        raise UsageError("--fault kill:broker leaves no broker of one; use --brokers 3, or restart:broker")
    if fault.kind == "kill:gateway" and gateways == 1:
        raise UsageError("--fault kill:gateway leaves no gateway of one; use --gateways 2, or restart:gateway")


def needs_proxies(faults: Iterable[Fault]) -> bool:
    return any(fault.action == "cut" for fault in faults)


class Happened(msgspec.Struct, frozen=True):
    """A fault that came, in seconds since the measurement began."""

    fault: Fault
    began_s: float
    ended_s: float | None  # None: it was for good
