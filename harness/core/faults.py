"""The faults that can be injected during a measurement.

    kill:gateway      its process is killed and stays dead             kill:broker (of three), kill:redis, kill:nats
    restart:redis     killed, and started again after the duration     restart:gateway, restart:broker, restart:nats
    pause:redis:5s    stopped for this long (SIGSTOP)                  pause:gateway, pause:broker, pause:nats
    cut:gateway-broker:5s   no data passes between the two; connections stay open      cut:gateway-redis, -nats
    reset:gateway-redis     the gateway's connections are closed; it may reconnect     reset:gateway-broker, -nats
    slow:members:5s   one in ten members reads nothing

If there are several gateways or brokers, the fault breaks the first one. A cut separates all gateways from all brokers.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable

import msgspec

from architectures.interface import Candidate
from harness.core.errors import UsageError
from harness.core.units import parse_duration

TARGETS = {
    "kill": ("gateway", "broker", "redis", "nats"),
    "restart": ("gateway", "broker", "redis", "nats"),
    "pause": ("gateway", "broker", "redis", "nats"),
    "cut": ("gateway-broker", "gateway-redis", "gateway-nats"),
    "reset": ("gateway-broker", "gateway-redis", "gateway-nats"),
    "slow": ("members",),
}
LASTS_S = {"kill": None, "restart": 0.0, "pause": 5.0, "cut": 5.0, "reset": 0.0, "slow": 5.0}
LASTS_MAX_S = 600.0
# The longest time until the load was normal again in the matrix of docs/faults.md, plus two seconds to see that it is.
# So much of the measurement must be left after a fault, and pending deliveries are waited for as long.
FOLLOWS_S = 3.0
TIMEOUTS_FOLLOW_S = {"kill:gateway": 12.0, "restart:gateway": 12.0, "kill:broker": 20.0, "restart:broker": 12.0}
# What a durable ack must outlive: a backend that comes back on what it has kept, or brokers that are left of several.
TESTS_DURABILITY = frozenset({"restart:broker", "restart:redis", "restart:nats", "kill:broker"})
SPEC = re.compile(r"(?P<action>[a-z]+):(?P<target>[a-z-]+)(:(?P<lasts>[^@:]+))?(@(?P<at>.+))?")
KNOWN = ", ".join(f"{action}:{target}" for action, targets in TARGETS.items() for target in targets)


class Fault(msgspec.Struct, frozen=True):
    """A fault that was asked for with --fault."""

    action: str
    target: str
    lasts_s: float | None  # None: permanent
    at_s: float  # since the measurement began

    @property
    def kind(self) -> str:
        """The fault without its times, as ACTION:TARGET; Promises.survives lists such kinds."""
        return f"{self.action}:{self.target}"

    @property
    def needs_proxy(self) -> bool:
        """Whether it breaks connections, which have to pass through a proxy for that."""
        return self.action in {"cut", "reset"}

    @property
    def over_s(self) -> float:
        """When the fault is over, in seconds since the measurement began; a kill is over at once."""
        return self.at_s if self.lasts_s is None else self.at_s + self.lasts_s

    @property
    def follows_s(self) -> float:
        """How long its consequences may last after it is over, in seconds."""
        return TIMEOUTS_FOLLOW_S.get(self.kind, FOLLOWS_S)

    def __str__(self) -> str:
        lasts = f":{self.lasts_s:g}s" if self.lasts_s else ""
        return f"{self.kind}{lasts}@{self.at_s:g}s"


def parse_fault(spec: str, duration_s: float) -> Fault:
    """Parse ACTION:TARGET[:DURATION][@TIME]; raises UsageError.

    Without a time, the fault begins when a third of the measurement is over.
    """
    found = SPEC.fullmatch(spec)
    if found is None or found["target"] not in TARGETS.get(found["action"], ()):
        raise UsageError(f"--fault is {spec!r}, but it must be one of {KNOWN}, as in pause:redis:5s@10s")
    action = found["action"]
    if action == "kill" and found["lasts"]:
        raise UsageError(f"--fault is {spec!r}, but a killed process stays dead; use restart:{found['target']}")
    if action == "reset" and found["lasts"]:
        raise UsageError(
            f"--fault is {spec!r}, but a reset is over at once; use cut:{found['target']}:{found['lasts']}"
        )
    lasts_s = _duration(spec, found["lasts"]) if found["lasts"] else LASTS_S[action]
    if lasts_s == 0 and action not in {"restart", "reset"}:
        raise UsageError(
            f"--fault is {spec!r}, but a fault of 0 s breaks nothing; write it as in {action}:{found['target']}:5s"
        )
    at_s = _duration(spec, found["at"]) if found["at"] else duration_s / 3
    if (lasts_s or 0) > LASTS_MAX_S or at_s + (lasts_s or 0) >= duration_s:
        raise UsageError(
            f"--fault {spec} would not be over when the measurement ends, after {duration_s:g} s; "
            "let it begin earlier or end sooner, or use a longer --duration"
        )
    fault = Fault(action, found["target"], lasts_s, at_s)
    _leave_time(spec, fault, duration_s)
    return fault


def _leave_time(spec: str, fault: Fault, duration_s: float) -> None:
    """Raise UsageError if the measurement would end before the load has recovered, which would look like a loss."""
    left_s = duration_s - fault.over_s
    if left_s >= fault.follows_s:
        return
    latest_s = duration_s - fault.follows_s - (fault.lasts_s or 0)
    earlier = f"let it begin by {latest_s:.3g} s, or use" if latest_s > 0 else "use"
    raise UsageError(
        f"--fault {spec} leaves {left_s:.3g} s of the measurement for the recovery, which can take "
        f"{fault.follows_s:g} s; {earlier} --duration {math.ceil(fault.over_s + fault.follows_s)}s"
    )


def check_apart(faults: Iterable[Fault]) -> None:
    """Raise UsageError if two faults would break the same target at the same time."""
    before: dict[str, Fault] = {}
    for fault in sorted(faults, key=lambda each: each.at_s):
        earlier = before.get(fault.target)
        if earlier is not None and earlier.lasts_s is None:
            raise UsageError(
                f"--fault {fault} would break what {earlier} has killed for good; let it begin before that, "
                f"or use restart:{fault.target} instead"
            )
        if earlier is not None and fault.at_s <= earlier.over_s:
            raise UsageError(
                f"--fault {fault} would begin before {earlier} is over, and both break the same {fault.target}; "
                f"let it begin after {earlier.over_s:g} s"
            )
        before[fault.target] = fault


def _duration(spec: str, text: str) -> float:
    try:
        seconds = parse_duration(text)
        if not seconds >= 0:
            raise ValueError(text)
        return seconds
    except ValueError as problem:
        raise UsageError(
            f"--fault is {spec!r}, but {text!r} is not a duration; write it as in pause:redis:5s@10s"
        ) from problem


def check_fault(fault: Fault, architecture: type[Candidate], gateways: int, brokers: int) -> None:
    """Raise UsageError if the architecture has no such target, or if the only gateway or broker would be killed."""
    requires = architecture.requires
    for part, required in (("broker", requires.kafka), ("redis", requires.any_redis), ("nats", requires.nats)):
        if part in fault.target and not required:
            raise UsageError(f"--fault {fault.kind}: {architecture.name} has no {part}; leave it out")
    if fault.kind == "kill:broker" and brokers == 1:
        raise UsageError("--fault kill:broker would kill the only broker; use --brokers 3, or restart:broker")
    if fault.kind == "kill:gateway" and gateways == 1:
        raise UsageError("--fault kill:gateway would kill the only gateway; use --gateways 2, or restart:gateway")


class Happened(msgspec.Struct, frozen=True):
    """A fault that was injected. Times are in seconds since the measurement began."""

    fault: Fault
    began_s: float
    ended_s: float | None  # None: it was permanent
