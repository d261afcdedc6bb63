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
    checks = []
    if promises.everyone:
        checks.append(
            PromiseCheck(
                "everyone: an acked message reaches every member of the room",
                verdict.lost_acked == 0 if verdict.expected else None,
                f"{verdict.lost_acked} of {verdict.expected} deliveries lost though acked",
            )
        )
    if promises.once:
        checks.append(
            PromiseCheck(
                "once: no member gets a message twice",
                verdict.duplicated == 0 if verdict.expected else None,
                f"{verdict.duplicated} duplicates beside {verdict.delivered} deliveries",
            )
        )
    if promises.ordered:
        checks.append(
            PromiseCheck(
                "ordered: each sender's messages arrive in the order they were sent",
                verdict.reordered == 0 if verdict.expected else None,
                f"{verdict.reordered} of {verdict.delivered} deliveries out of order",
            )
        )
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
