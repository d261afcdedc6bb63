"""Compares what an architecture promises with what the run saw."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from architectures.interface import Promises
from harness.core.faults import TESTS_DURABILITY
from harness.ledger.judge import Verdict
from harness.ledger.recovery import Recovery

# What is expected of an architecture that survives a fault, beside losing nothing.
NORMAL = "normal again after {}: what is said is heard as soon as before it"
IN_USE = "in use under {}: most messages are taken, and of most deliveries it is known whether they were owed"
SILENCED_MAX = 0.25
SURVIVES = "survives {}: all of the above holds in spite of it"
NOT_PROMISED = "not promised under"


class PromiseCheck(msgspec.Struct, frozen=True):
    """One entry of `promises` in summary.json (contract). held is None where this run could not tell."""

    promise: str
    held: bool | None
    evidence: str


def check_promises(promises: Promises, verdict: Verdict, faults: Sequence[str] = ()) -> list[PromiseCheck]:
    """One check for each promise; a promise that this run did not test says so.

    `faults` are the kinds of faults that came in the run. Under a fault that it does not promise to survive, an
    architecture promises nothing, whatever was seen.
    """
    beyond = [fault for fault in faults if fault not in promises.survives]
    checks = [_under(beyond, check) for check in _always(promises, verdict)]
    broken = [check for check in checks if check.held is False]
    if promises.durable_ack:
        checks.append(_durable_ack(verdict, faults))
    checks += [_survives(fault, faults, beyond, broken) for fault in promises.survives]
    return checks


@dataclass(frozen=True, slots=True)
class Use:
    """How many scheduled messages were accepted, and of how many deliveries it is known whether they were owed."""

    scheduled: int  # messages
    silenced: int  # of these messages: refused, not sent, or due when their sender was in no room
    expected: int  # deliveries
    neither: int  # deliveries of which that is not known

    @property
    def silenced_share(self) -> float:
        return self.silenced / self.scheduled if self.scheduled else 0.0

    @property
    def neither_share(self) -> float:
        return self.neither / (self.expected + self.neither) if self.neither else 0.0

    @property
    def is_most(self) -> bool:
        """Whether that is enough to say something about the chat."""
        return max(self.silenced_share, self.neither_share) <= SILENCED_MAX

    def __str__(self) -> str:
        return (
            f"{self.silenced:,} of {self.scheduled:,} messages ({self.silenced_share:.1%}) were not taken; "
            f"{self.neither:,} deliveries ({self.neither_share:.1%}) were owed to nobody"
        )


def check_expectations(
    promises: Promises, recoveries: Sequence[tuple[str, Recovery]], use: Use, *, timed: bool
) -> list[PromiseCheck]:
    """Whether the chat was in use under faults that it promises to survive, and as quick afterwards as before.

    `timed`: the driver was valid, so that times can be judged.
    """
    kinds = list(dict.fromkeys(kind for kind, _ in recoveries))
    if not kinds or not set(kinds) <= set(promises.survives):
        return []
    seen = {kind: [recovery for each, recovery in recoveries if each == kind] for kind in kinds}
    checks = [PromiseCheck(IN_USE.format(kind), use.is_most, f"{use}{_available(seen[kind])}") for kind in kinds]
    return checks + [_normal_again(kind, seen[kind], timed=timed) for kind in kinds]


def _available(seen: Sequence[Recovery]) -> str:
    shares = [recovery.availability for recovery in seen if recovery.availability is not None]
    return f"; available since: {min(shares):.1%} were acked and heard by all whom they were owed to" if shares else ""


def _normal_again(kind: str, seen: Sequence[Recovery], *, timed: bool) -> PromiseCheck:
    promise = NORMAL.format(kind)
    if any(recovery.never_normal for recovery in seen):
        return PromiseCheck(promise, False if timed else None, "not for two seconds in all that was measured")
    took_ms = [recovery.normal_ms for recovery in seen if recovery.normal_ms is not None]
    if not all(recovery.comparable for recovery in seen):
        return PromiseCheck(promise, None, "this run cannot tell: too little was said before the fault")
    if len(took_ms) < len(seen):
        return PromiseCheck(promise, None, "not seen: it was not so to the end, or too little was said")
    return PromiseCheck(promise, True, f"after {max(took_ms) / 1000:.1f} s")


def one_for_each_fault(check: PromiseCheck) -> list[PromiseCheck]:
    """The check, split into one for each fault where an older record names all untested faults in one."""
    before, _, after = SURVIVES.partition("{}")
    if not check.promise.startswith(before) or not check.promise.endswith(after):
        return [check]
    faults = check.promise.removeprefix(before).removesuffix(after)
    return [PromiseCheck(SURVIVES.format(fault), check.held, check.evidence) for fault in faults.split(", ")]


def _always(promises: Promises, v: Verdict) -> list[PromiseCheck]:
    lost_acked = v.lost_acked - v.lost_in_break
    in_break = f", and {v.lost_in_break} more on their way to members whose connection broke" if v.lost_in_break else ""
    counted = (
        (
            promises.everyone,
            "everyone: an acked message reaches every member of the room",
            lost_acked,
            f"{lost_acked} of {v.expected} deliveries lost though acked{in_break}",
        ),
        (
            promises.once,
            "once: no member gets a message twice",
            v.duplicated + (v.duplicated_on_return if promises.once_on_return else 0),
            f"{v.duplicated} duplicates beside {v.delivered} deliveries{_across_returns(promises, v)}",
        ),
        (
            promises.ordered,
            "ordered: each sender's messages arrive in the order they were sent",
            v.reordered,
            f"{v.reordered} of {v.delivered} deliveries out of order",
        ),
    )
    checks = [
        PromiseCheck(promise, violations == 0 if v.expected else None, evidence)
        for promised, promise, violations, evidence in counted
        if promised
    ]
    if promises.history:
        checks.append(_history(v))
    return checks


def _across_returns(promises: Promises, v: Verdict) -> str:
    """Evidence of repetitions across returns: few architectures promise that there are none."""
    if not v.came_again:
        return ""
    promised = "" if promises.once_on_return else ", of which nothing is promised"
    return f"; across {v.came_again} returns {v.duplicated_on_return} more{promised}"


def _history(v: Verdict) -> PromiseCheck:
    promise = "history: who comes back to a room gets what was said meanwhile"
    if not v.away:
        return PromiseCheck(promise, None, "not tested: nobody came back and asked for it in this run")
    return PromiseCheck(promise, v.missed == 0, f"{v.missed} of {v.away} messages missed, in {v.returns} returns")


def _under(beyond: Sequence[str], check: PromiseCheck) -> PromiseCheck:
    if not beyond:
        return check
    return PromiseCheck(check.promise, None, f"{NOT_PROMISED} {', '.join(beyond)}: {check.evidence}")


def _durable_ack(v: Verdict, faults: Sequence[str]) -> PromiseCheck:
    promise = "durable ack: an acked message survives the restart of the backend"
    tested = [fault for fault in faults if fault in TESTS_DURABILITY]
    if not tested:
        return PromiseCheck(promise, None, "not tested: nothing was restarted in this run")
    lost_acked = v.lost_acked - v.lost_in_break
    return PromiseCheck(promise, lost_acked == 0, f"{', '.join(tested)}: {lost_acked} deliveries lost though acked")


def _survives(fault: str, faults: Sequence[str], beyond: Sequence[str], broken: Sequence[PromiseCheck]) -> PromiseCheck:
    promise = SURVIVES.format(fault)
    if fault not in faults:
        return PromiseCheck(promise, None, "not tested: it did not come in this run")
    if beyond:
        return PromiseCheck(promise, None, f"not told apart from {', '.join(beyond)}")
    return PromiseCheck(promise, not broken, "; ".join(check.evidence for check in broken) or "all of it held")
