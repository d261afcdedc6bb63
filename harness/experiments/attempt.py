"""One run of a search for a capacity: whether the objective held in it, and what was full."""

from __future__ import annotations

import os
from collections.abc import Iterator

import msgspec

from harness.core.hosts import started_by_others
from harness.core.settings import RunSettings
from harness.measure.threads import MAIN
from harness.runs.summary import Summary

DRIVER = ("locust", "audience")  # the names of its processes begin so
SATURATED = 0.85  # of a core for a process with one busy thread, or of all cores for everything together
LOADER, MACHINE, FAILURE = "the driver", "the machine", "a failure of the run"  # what can break instead
DRIVER_NOT_VALID = "the driver was not valid"


class Objective(msgspec.Struct, frozen=True, kw_only=True):
    """What must hold in every run: the p99 of latency, no message lost, all messages sent, and a valid driver."""

    p99_ms: float = 200.0

    def __str__(self) -> str:
        return f"p99 <= {self.p99_ms:g} ms, nothing lost, all sent"


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """One run under one load."""

    rate_per_s: float
    members: int
    rooms: int | None = None  # None: the scenario's default
    processes: int = 1  # of the driver
    held: bool
    why: str | None  # what broke, if it did not hold
    broke: list[str] = []  # the same without figures, so that runs can be counted by it
    p50_ms: float | None
    p99_ms: float | None
    deliveries_per_s: float | None
    achieved: float | None = None  # of the deliveries that were offered, the share that was made
    driver_valid: bool | None
    saturated: list[str]  # the processes and threads without CPU time to spare
    cores_used: dict[str, float] = {}  # by component and by process of the driver
    record: str

    @property
    def limited_by(self) -> str | None:
        """What broke before the architecture did, which may take more. None: nothing did."""
        if self.held:
            return None
        if self.driver_valid is None:
            return FAILURE
        if self.machine_was_full:  # then the driver is late whoever else took the cores
            return MACHINE
        return LOADER if DRIVER_NOT_VALID in self.broke else None

    @property
    def machine_was_full(self) -> bool:
        return any(each.startswith(MACHINE) for each in self.saturated)

    @property
    def needs_processes(self) -> bool:
        """Whether one more process of the driver would help: one was full, and the machine has cores left."""
        return self.limited_by == LOADER and self.full_process is not None

    @property
    def full_process(self) -> str | None:
        """The driver's busiest process without CPU time to spare, and how busy it was."""
        return next((each for each in self.saturated if each.startswith(DRIVER)), None)


def judge_attempt(summary: Summary, settings: RunSettings, objective: Objective, record: str) -> Attempt:
    """Whether the objective held in that run, and what was saturated."""
    broken = dict(_broken(summary, objective))
    return Attempt(
        rate_per_s=settings.rate_per_s,
        members=settings.members,
        rooms=settings.rooms,
        processes=settings.processes,
        held=not broken,
        why="; ".join(broken.values()) or None,
        broke=list(broken),
        p50_ms=summary.latency_ms.p50,
        p99_ms=summary.latency_ms.p99,
        deliveries_per_s=summary.deliveries_per_s,
        achieved=_achieved(summary, settings.rate_per_s),
        driver_valid=summary.driver.valid,
        saturated=saturated(summary, settings),
        cores_used=summary.cores_used or {},
        record=record,
    )


def failed_attempt(settings: RunSettings, why: str, record: str) -> Attempt:
    """A run that failed under its load, for whatever reason: nothing is known of the architecture."""
    return Attempt(
        rate_per_s=settings.rate_per_s,
        members=settings.members,
        rooms=settings.rooms,
        processes=settings.processes,
        held=False,
        why=why,
        broke=["the run failed"],
        p50_ms=None,
        p99_ms=None,
        deliveries_per_s=None,
        driver_valid=None,
        saturated=[],
        record=record,
    )


def _broken(summary: Summary, objective: Objective) -> Iterator[tuple[str, str]]:
    """Each part of the objective that did not hold, without figures and with them."""
    p99_ms, lost = summary.latency_ms.p99, summary.lost or 0
    if p99_ms is not None and p99_ms > objective.p99_ms:
        yield "p99 was too high", f"p99 was {p99_ms:,.0f} ms"
    if lost:
        yield "deliveries were lost", f"{lost:,} deliveries were lost"
    # Connections that break without faults break by the load. Unread messages of such members are not lost.
    cut_off = (summary.gateway_counts or {}).get("cut_off_slow", 0)
    if cut_off:
        yield "members were disconnected", f"{cut_off:,} members were disconnected because they read too slowly"
    if (others := (summary.disconnects or 0) - cut_off) > 0:  # a slow member may not have noticed yet
        yield "connections broke", f"{others:,} connections broke"
    if not summary.use.is_most:
        yield "messages were not taken", str(summary.use)
    if not summary.driver.valid:
        # A backlog that is still there when the driver stops waiting for it is the architecture's.
        left = summary.not_drained
        yield ("a backlog was left", f"{left:,} deliveries were still to come") if left else (DRIVER_NOT_VALID,) * 2
    if not summary.delivered:
        yield "nothing was delivered", "no message was delivered"


def _achieved(summary: Summary, rate_per_s: float) -> float | None:
    if summary.publishes_per_s is None or summary.delivered is None or not summary.expected:
        return None
    return summary.publishes_per_s / rate_per_s * summary.delivered / summary.expected


def saturated(summary: Summary, settings: RunSettings) -> list[str]:
    """The processes and threads without CPU time to spare, the busiest first."""
    used = summary.cores_used or {}
    cores = os.cpu_count() or 1
    # A gateway, a Locust process, an audience and Redis have one busy thread each. A JVM has many.
    # Of NATS, and of Redis where it is several servers, the threads tell.
    threaded = {"kafka", "gateway"} | {group.component for group in summary.threads}
    each = {name: share for name, share in used.items() if name not in threaded} | _gateways(summary)
    threads = {
        f"{group.component}'s {group.group}": group.busiest_cores
        for group in summary.threads
        if (group.component, group.group) != ("gateway", MAIN)  # told of each gateway
    }
    busy = {name: share for name, share in (each | threads).items() if share >= SATURATED}
    names = [f"{name} ({share:.0%} of a core)" for name, share in sorted(busy.items(), key=lambda item: -item[1])]
    total = sum(used.values())
    if total >= SATURATED * cores and not started_by_others(settings):  # otherwise some may run on another host
        most = max(used, key=lambda name: used[name])
        names.append(f"{MACHINE} ({total:.1f} of {cores} cores, most by {most})")
    return names


def _gateways(summary: Summary) -> dict[str, float]:
    """The cores that each gateway used; all together, divided by their number, where that is not known."""
    single = [each.cores_used for each in summary.each_gateway or []]
    if single and None not in single:
        return {f"gateway {number}": cores or 0.0 for number, cores in enumerate(single)}
    together = (summary.cores_used or {}).get("gateway")
    return {} if together is None else {"gateway": together / summary.gateways}
