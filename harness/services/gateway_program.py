"""The program that a run's gateways execute: chatbench's own, or a peer's."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass

from architectures.interface import Candidate
from harness.core.errors import ServiceFailed
from harness.services.kafka.jars import cache_dir
from peers.interface import NotInstalled, OnProgress, Peer


@dataclass(frozen=True, slots=True)
class Program:
    """A program that reads GatewaySettings from its standard input."""

    argv: Sequence[str]
    scheme: str  # of its URLs: the protocol in which members speak with it


OWN = Program((sys.executable, "-m", "harness.gateway"), "ws")


def program_of(candidate: type[Candidate], on_progress: OnProgress) -> Program:
    """The candidate's program, after what it needs was downloaded. Raises ServiceFailed."""
    if not issubclass(candidate, Peer):
        return OWN
    try:
        return Program(candidate.program(cache_dir().parent / "peers", on_progress), candidate.scheme)
    except NotInstalled as problem:
        raise ServiceFailed(str(problem)) from problem
