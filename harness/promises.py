"""What an architecture promised against what the run saw."""

from __future__ import annotations

import msgspec

from architectures.interface import Promises
from harness.load.ledger import Verdict


class PromiseCheck(msgspec.Struct, frozen=True):
    """One entry of `promises` in summary.json (contract). held is None where this run could not tell."""

    promise: str
    held: bool | None
    evidence: str


def check_promises(promises: Promises, verdict: Verdict) -> list[PromiseCheck]:
    """Only what was promised is judged; a promise this run did not test says so."""
    v = verdict
    counted = (
        (
            promises.everyone,
            "everyone: an acked message reaches every member of the room",
            v.lost_acked,
            f"{v.lost_acked} of {v.expected} deliveries lost though acked",
        ),
        (
            promises.once,
            "once: no member gets a message twice",
            v.duplicated,
            f"{v.duplicated} duplicates beside {v.delivered} deliveries",
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
    if promises.durable_ack:
        checks.append(
            PromiseCheck(
                "durable ack: an acked message survives the restart of the backend",
                None,
                "not tested: nothing was restarted in this run",
            )
        )
    checks += [
        PromiseCheck(f"survives {fault}", None, "not tested: this run had no fault") for fault in promises.survives
    ]
    return checks
